"""``--fix``: carry out the search of ``fix`` on files and pictures, and decide whether there is anything to fix."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from trailcam_edge.interpreters import TFLiteModel
from trailcam_edge.manifest import OutputSpec
from trailcam_edge.progress import Progress, silent
from trailcam_export.answers import TFLiteAnswerer, collect_logits
from trailcam_export.drift import Answers, ClassIds, measure_drift
from trailcam_export.findings import FixFindings
from trailcam_export.fix import RANKING_COUNT, Trial, measure_latency_ms, rank_operators, satisfies, search_fix
from trailcam_export.gate import GateResult, judge
from trailcam_export.graph_check import check_graph
from trailcam_export.output_rule import fit_output
from trailcam_export.pictures import Images, Logits
from trailcam_export.plan import Plan
from trailcam_export.presets import Preset
from trailcam_export.selective import SelectiveQuantiser

__all__ = ["MIXED", "repair_int8"]

MIXED = "mixed_int8"
_BROKEN = "int8"


def repair_int8(
    files: Mapping[str, Path],
    validation: Mapping[str, Logits],
    class_ids: ClassIds,
    plan: Plan,
    preset: Preset,
    progress: Progress = silent,
) -> FixFindings | None:
    """Look for a mixed int8 file where int8 does not satisfy the gate on validation pictures, and write it.

    Args:
        files: of ``float32`` and ``int8``; the new file goes beside them as ``mixed_int8.tflite``.
        validation: (N, K) logits of both.
        class_ids: (N,) true classes of the validation pictures.
        plan: of the export.
        preset: the bars.
        progress: told at each step.

    Returns:
        What was tried, None where int8 is good as it is. The file is there when ``fix.chosen`` is.

    Raises:
        SourceError: a picture cannot be read.
        BundleError: a file that the quantiser made cannot be run.
        ExportError: the file that was found is not what a bundle may hold.
    """
    ours = _answers(validation["float32"], class_ids, plan)
    perfect = judge(measure_drift(ours, ours, class_ids), preset, plan.run.labels)

    def good(result: GateResult) -> bool:
        return satisfies(result, perfect)

    def look(logits: Logits) -> Trial:
        drift = measure_drift(ours, _answers(logits, class_ids, plan), class_ids)
        result = judge(drift, preset, plan.run.labels)
        return Trial(result, drift.variant.top1, drift.right.delta, drift.agreement, float(drift.kl.mean()))

    if good(look(validation[_BROKEN]).gate):
        return None
    target = files["float32"].with_name(f"{MIXED}.tflite")

    def ask(content: bytes, images: Images) -> Logits:
        target.write_bytes(content)
        return TFLiteAnswerer(target).logits(images)

    def try_file(content: bytes) -> Trial:
        target.write_bytes(content)
        answerers = {MIXED: TFLiteAnswerer(target)}
        found = collect_logits(plan.files("validation"), plan.run.input, answerers, "trying mixed int8", progress)
        return look(found[MIXED])

    quantiser = SelectiveQuantiser(
        files["float32"].read_bytes(), plan.calibration.stream(plan.data, plan.run.input, progress)
    )
    images = np.stack(list(islice(plan.calibration.stream(plan.data, plan.run.input), RANKING_COUNT)))
    reference = TFLiteAnswerer(files["float32"]).logits(images)
    ranking = rank_operators(quantiser, ask, reference, images, progress)
    fix = search_fix(quantiser, ranking, try_file, good)
    target.unlink(missing_ok=True)
    if fix.content is not None:
        check_graph(fix.content, MIXED, images.shape[1:], len(plan.run.labels))
        target.write_bytes(fix.content)
    timed = {name: path for name, path in {**files, MIXED: target}.items() if path.is_file()}
    return FixFindings(_BROKEN, fix, _time(timed, images))


def _answers(logits: Logits, class_ids: ClassIds, plan: Plan) -> Answers:
    """Return answers with the output rule fitted on the same validation pictures, as every variant has its own."""
    output: OutputSpec = fit_output(plan.run.labels, plan.reject_score, (logits, class_ids), logits, None)
    return Answers(logits, output)


def _time(files: Mapping[str, Path], images: Images) -> dict[str, float]:
    names: Sequence[str] = list(files)
    times = measure_latency_ms([TFLiteModel(files[name], num_threads=1) for name in names], images[0])
    return dict(zip(names, times, strict=True))
