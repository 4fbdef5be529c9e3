"""Ask the trained model and every file about the same pictures, once, and let the gate judge each file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from trailcam_core.progress import Progress, silent
from trailcam_export.convert.variants import MIXED_INT8, Variant
from trailcam_export.gate.diagnosis import SWAP_COUNT, Swapped, diagnose
from trailcam_export.gate.gate import GateResult, Verdict, judge, with_cause, with_parity
from trailcam_export.gate.presets import Preset
from trailcam_export.gate.reference_check import SwappedColours, doubt_reference
from trailcam_export.gate.statistics import Answers, ClassIds, measure_drift, to_class_ids
from trailcam_export.inference.batches import Images, Logits, fit_file
from trailcam_export.inference.predict import Answerer, FileAnswerer, collect_logits
from trailcam_export.report.findings import Findings, FixFindings, VariantFindings
from trailcam_export.run.output_rule import fit_output
from trailcam_export.run.plan import Plan
from trailcam_export.run.resume_cache import Converted, WorkFolder

__all__ = ["Measured", "doubt_trained", "judge_files", "measure", "true_classes"]

Measured = Mapping[str, Logits]  # (N, K) logits of one model on validation and test, and on others where there are any


@dataclass(frozen=True)
class _Judge:
    """What every file is judged by."""

    plan: Plan
    preset: Preset
    trained: Answerer
    reference: Answers
    test_ids: ClassIds


def measure(
    name: str,
    sha256: str,
    title: str,
    open_answerer: Callable[[], Answerer],
    plan: Plan,
    work: WorkFolder,
    progress: Progress = silent,
    without: str | None = None,
) -> Measured:
    """Return a model's logits on validation, test and others; what was measured before is taken as it is.

    Args:
        name: what the work folder keeps them under.
        sha256: digest of the model file.
        title: what ``progress`` calls the model.
        open_answerer: gives the model, where it has to be asked.
        plan: of the export.
        work: where they are kept.
        progress: told after each batch.
        without: one of the three that is not wanted.

    Raises:
        SourceError: a picture cannot be read.
        BundleError: the file cannot be loaded or run.
        OSError: the disk is full or read-only.
    """
    shown = {"validation": plan.files("validation"), "test": plan.files("test"), "others": list(plan.others_files)}
    shown = {what: paths for what, paths in shown.items() if paths and what != without}
    kept = work.load_logits(name, sha256)
    if kept is not None and shown.keys() <= kept.keys():
        return kept
    asked = {name: open_answerer()}
    logits = {
        what: collect_logits(paths, plan.run.input, asked, f"measuring {title} on {what}", progress)[name]
        for what, paths in shown.items()
    }
    work.save_logits(name, sha256, logits)
    return logits


def true_classes(plan: Plan, split: str) -> ClassIds:
    """Return the (N,) true classes of a split, in the order of ``plan.files``."""
    return to_class_ids(plan.run.labels, [row.label for row in plan.run.pictures(split)])


def doubt_trained(trained: Answerer, of_trained: Measured, plan: Plan) -> str | None:
    """Return what is probably wrong with the trained model itself; a few pictures are asked with exchanged colours.

    Raises:
        ExportError: the labels are in another order than its outputs, beyond doubt.
        SourceError: a picture cannot be read.
    """
    class_ids, images = true_classes(plan, "test"), _sample(plan)
    exchanged = trained.logits(np.ascontiguousarray(images[..., ::-1]))
    places = slice(None, None, _stride(plan))
    swapped = SwappedColours(class_ids[places], of_trained["test"][places], exchanged)
    return doubt_reference(of_trained["test"], class_ids, plan.run.labels, swapped, plan.model_path)


def judge_files(
    files: Mapping[Variant, Converted],
    measured: Mapping[Variant, Measured],
    trained: Answerer,
    of_trained: Measured,
    fix: FixFindings | None,
    plan: Plan,
    preset: Preset,
    doubt: str | None = None,
) -> Findings:
    """Compare every file with the trained model, whose reject rule is fitted as if it shipped, and judge it.

    Args:
        files: in the order in which they are told of.
        measured: logits of each.
        trained: asked again about a few pictures when a file fails, to find out why.
        of_trained: its logits; those on validation may be missing where a float32 file gives the same numbers.
        fix: what ``--fix`` tried, where it did.
        plan: of the export.
        preset: the bars.
        doubt: what is probably wrong with the trained model itself.
    """
    validation_ids, test_ids = true_classes(plan, "validation"), true_classes(plan, "test")

    def answers(found: Measured) -> Answers:
        test, others = found["test"], found.get("others")
        fitted = (found["validation"], validation_ids)
        return Answers(test, fit_output(plan.draft.output, plan.reject_score, fitted, (test, test_ids), others), others)

    same = next((measured[variant] for variant in files if variant.scheme == "float32"), {})
    judge_by = _Judge(plan, preset, trained, answers({**same, **of_trained}), test_ids)
    return Findings(
        name=plan.draft.name,
        version=plan.draft.version,
        labels=plan.run.labels,
        preset=preset,
        data=plan.data,
        rows=plan.run.pictures("test"),
        class_ids=test_ids,
        reference=judge_by.reference,
        variants=tuple(_judge(variant, file, answers(measured[variant]), judge_by) for variant, file in files.items()),
        fix=fix,
        fixed=MIXED_INT8.name if MIXED_INT8 in files else None,
        doubt=doubt,
    )


def _judge(variant: Variant, file: Converted, ours: Answers, by: _Judge) -> VariantFindings:
    """All are judged by their answers; a float file was also compared number by number right after its conversion."""
    drift = measure_drift(by.reference, ours, by.test_ids)
    gate = judge(drift, by.preset, by.plan.run.labels)
    if file.parity is not None:
        gate = with_parity(gate, file.parity, len(by.plan.parity_files()), variant.scheme)
    if gate.verdict is Verdict.FAIL:
        gate = _explain(gate, FileAnswerer(file.path), ours.logits, by)
    size = file.path.stat().st_size
    return VariantFindings(variant.name, f"{variant.name}.bundle", size, ours, drift, gate)


def _explain(gate: GateResult, file: Answerer, logits: Logits, by: _Judge) -> GateResult:
    """Add the likely cause of a fail; some pictures are asked again with red and blue exchanged."""
    images = _sample(by.plan)
    exchanged = file.logits(np.ascontiguousarray(images[..., ::-1]))
    swapped = Swapped(by.trained.logits(images), file.logits(images), exchanged)
    return with_cause(gate, diagnose(by.reference.logits, logits, by.plan.run.labels, swapped))


def _stride(plan: Plan) -> int:
    return max(1, -(-len(plan.files("test")) // SWAP_COUNT))


def _sample(plan: Plan) -> Images:
    """Return every so many test picture, as the models take them."""
    return np.stack([fit_file(path, plan.run.input) for path in plan.files("test")[:: _stride(plan)]])
