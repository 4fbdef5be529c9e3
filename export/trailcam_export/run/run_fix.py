"""``--fix``: carry out the search of ``fix`` on files and pictures, and decide whether there is anything to fix."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import OutputSpec
from trailcam_export.calibration.calibration_set import CalibrationSet
from trailcam_export.convert.variants import MIXED_INT8
from trailcam_export.gate.gate import GateResult, judge
from trailcam_export.gate.presets import Preset
from trailcam_export.gate.statistics import Answers, ClassIds, measure_drift
from trailcam_export.inference.batches import Images, Logits
from trailcam_export.inference.predict import FileAnswerer, collect_logits
from trailcam_export.mixed_int8.search import (
    RANKING_COUNT,
    Trial,
    measure_latency_ms,
    rank_operators,
    satisfies,
    search_fix,
)
from trailcam_export.mixed_int8.selective_quantiser import SelectiveQuantiser
from trailcam_export.report.findings import FixFindings
from trailcam_export.run.output_rule import fit_output
from trailcam_export.run.plan import Plan
from trailcam_export.run.resume_cache import WorkFolder

__all__ = ["repair_int8"]

_BROKEN = "int8"


def repair_int8(
    files: Mapping[str, Path],
    validation: Mapping[str, Logits],
    class_ids: ClassIds,
    calibration: CalibrationSet,
    plan: Plan,
    preset: Preset,
    work: WorkFolder,
    progress: Progress = silent,
) -> FixFindings | None:
    """Look for a mixed int8 file where int8 does not satisfy the gate on validation pictures.

    Args:
        files: of ``float32`` and ``int8``; what is tried stands beside them for a while.
        validation: (N, K) logits of both.
        class_ids: (N,) true classes of the validation pictures.
        calibration: the pictures that set the ranges, at least one.
        plan: of the export.
        preset: the bars.
        work: keeps the answers of every file that was tried: a search that was stopped asks only what is new.
        progress: told at each step.

    Returns:
        What was tried and the file that was found, None where int8 is good as it is.

    Raises:
        SourceError: a picture cannot be read.
        BundleError: a file that the quantiser made cannot be run.
        OSError: the disk is full or read-only.
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
    name = MIXED_INT8.name
    trial = files["float32"].with_name(f"{name}.trial.tflite")

    def ask(content: bytes, images: Images) -> Logits:
        return _remember(content, "calibration", trial, work, lambda file: file.logits(images))

    def try_file(content: bytes) -> Trial:
        paths = plan.files("validation")

        def measure(file: FileAnswerer) -> Logits:
            return collect_logits(paths, plan.run.input, {name: file}, "trying mixed int8", progress)[name]

        return look(_remember(content, "validation", trial, work, measure))

    def time_file(content: bytes) -> float:
        trial.write_bytes(content)
        times = _time({"float32": files["float32"], name: trial}, images)
        return times[name] / times["float32"]

    quantiser = SelectiveQuantiser(
        files["float32"].read_bytes(),
        calibration.stream(plan.data, plan.run.input, progress, f"calibrating {name}"),
    )
    images = np.stack(list(islice(calibration.stream(plan.data, plan.run.input), RANKING_COUNT)))
    reference = FileAnswerer(files["float32"]).logits(images)
    try:
        ranking = rank_operators(quantiser, ask, reference, images, progress)
        fix = search_fix(quantiser, ranking, try_file, time_file, good)
        timed = dict(files)
        if fix.content is not None:
            trial.write_bytes(fix.content)
            timed[name] = trial
        return FixFindings(_BROKEN, fix, _time(timed, images))
    finally:
        trial.unlink(missing_ok=True)


def _remember(
    content: bytes, shown: str, place: Path, work: WorkFolder, measure: Callable[[FileAnswerer], Logits]
) -> Logits:
    """Return what a file answered to what was shown, asking it only once in the life of the work folder."""
    digest = hashlib.sha256(content).hexdigest()
    kept = work.load_logits(f"{MIXED_INT8.name}-{digest}", digest)
    if kept is None or shown not in kept:
        place.write_bytes(content)
        kept = {**(kept or {}), shown: measure(FileAnswerer(place))}
        work.save_logits(f"{MIXED_INT8.name}-{digest}", digest, kept)
    return kept[shown]


def _answers(logits: Logits, class_ids: ClassIds, plan: Plan) -> Answers:
    """Return answers with the output rule fitted on the same validation pictures, as every variant has its own."""
    output: OutputSpec = fit_output(
        plan.draft.output, plan.reject_score, (logits, class_ids), (logits, class_ids), None
    )
    return Answers(logits, output)


def _time(files: Mapping[str, Path], images: Images) -> dict[str, float]:
    names: Sequence[str] = list(files)
    times = measure_latency_ms([TFLiteModel(files[name], num_threads=1) for name in names], images[0])
    return dict(zip(names, times, strict=True))
