"""Compare every converted file with the trained model and apply the drift gate to it."""

from dataclasses import dataclass, replace

import numpy as np

from trailcam_core.field.views import field_figures, is_crop, read_groups
from trailcam_core.spec import FieldFigures
from trailcam_export.convert.variants import MIXED_INT8, Variant
from trailcam_export.foreign.other_scalings import other_scalings
from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.diagnosis import SWAP_COUNT, ChannelSwap, diagnose
from trailcam_export.gate.gate import GateResult, evaluate_gate, with_cause, with_crops, with_parity
from trailcam_export.gate.presets import Preset
from trailcam_export.gate.reference_check import SwappedColours, check_reference, check_scaling
from trailcam_export.gate.statistics import ClassIds, DriftStatistics, ModelOutputs, measure_drift
from trailcam_export.inference.batches import Images, Logits, fit_file
from trailcam_export.inference.predict import FilePredictor, Predictor
from trailcam_export.report.findings import Findings, FixFindings, VariantFindings
from trailcam_export.run.output_rule import fit_output
from trailcam_export.run.plan import ExportPlan
from trailcam_export.run.resume_cache import ConvertedFile
from trailcam_export.run.session import ConvertedVariants, ExportSession, LogitsBySet


@dataclass(frozen=True)
class Reference:
    """The trained model and its logits.

    Those on validation may be missing if there is a float32 file, which gives the same numbers. ``warning`` describes a
    probable fault of the model itself.
    """

    predictor: Predictor
    logits: LogitsBySet
    warning: str | None = None


@dataclass(frozen=True)
class _Comparison:
    """The common side of every comparison."""

    session: ExportSession
    preset: Preset
    trained: Predictor
    reference: ModelOutputs
    class_ids: ClassIds


def check_trained_reference(predictor: Predictor, logits: LogitsBySet, session: ExportSession) -> str | None:
    """Return the probable fault of the trained model itself; a few images are run again with exchanged colours.

    Raises:
        ExportError: the labels are certainly in another order than its outputs, or its pixel range is another one.
        SourceError: a picture cannot be read.
    """
    plan, class_ids = session.plan, session.class_ids("test")
    images = _sample(plan)
    answers = [(text, other.logits(images)) for text, other in other_scalings(plan.foreign_model)]
    check_scaling(logits["test"][:: _stride(plan)], class_ids[:: _stride(plan)], answers, plan.model_path)
    exchanged = predictor.logits(np.ascontiguousarray(images[..., ::-1]))
    sampled = slice(None, None, _stride(plan))
    swapped = SwappedColours(class_ids[sampled], logits["test"][sampled], exchanged)
    return check_reference(logits["test"], class_ids, plan.run.labels, swapped, plan.model_path)


def evaluate_variants(
    converted: ConvertedVariants, trained: Reference, fix: FixFindings | None, session: ExportSession, preset: Preset
) -> Findings:
    """Compare every file with the trained model, whose output rule is fitted as if it were exported itself.

    Args:
        converted: the files, in the order of the report.
        trained: run again on a few images to find the cause of a failure.
        fix: the search of ``--fix``, if it ran.
        session: of the export.
        preset: the criteria.
    """
    plan = session.plan
    validation_ids, test_ids = session.class_ids("validation"), session.class_ids("test")

    def outputs(logits: LogitsBySet) -> ModelOutputs:
        test, ood = logits["test"], logits.get("others")
        fitted = (logits["validation"], validation_ids)
        output = fit_output(plan.draft.output, plan.score_name, fitted, (test, test_ids), ood)
        return ModelOutputs(test, output, ood)

    same = next((converted.logits[variant] for variant in converted.files if variant.scheme == "float32"), {})
    comparison = _Comparison(session, preset, trained.predictor, outputs({**same, **trained.logits}), test_ids)
    return Findings(
        name=plan.draft.name,
        version=plan.draft.version,
        labels=plan.run.labels,
        preset=preset,
        data=plan.data,
        rows=plan.run.pictures("test"),
        class_ids=test_ids,
        reference=comparison.reference,
        variants=tuple(
            _evaluate(variant, file, outputs(converted.logits[variant]), comparison)
            for variant, file in converted.files.items()
        ),
        fix=fix,
        fixed=MIXED_INT8.name if MIXED_INT8 in converted.files else None,
        reference_warning=trained.warning,
    )


def _evaluate(variant: Variant, file: ConvertedFile, ours: ModelOutputs, by: _Comparison) -> VariantFindings:
    """Evaluate a file by its answers; a float file was also compared number by number right after its conversion."""
    drift = measure_drift(by.reference, ours, by.class_ids)
    gate = evaluate_gate(drift, by.preset, by.session.plan.run.labels)
    crops = None if file.parity is not None else _drift_on_crops(ours, by)
    if crops is not None:
        gate = with_crops(gate, evaluate_gate(crops, by.preset, by.session.plan.run.labels), crops.n)
    if file.parity is not None:
        gate = with_parity(gate, file.parity, len(by.session.plan.parity_files()), variant.scheme)
    if gate.verdict is Verdict.FAIL:
        gate = _add_cause(gate, FilePredictor(file.path), ours.logits, by)
    size = file.path.stat().st_size
    figures = _field_figures(ours, by.session.plan)
    return VariantFindings(variant.name, f"{variant.name}.bundle", size, ours, drift, gate, crops, figures)


def _drift_on_crops(ours: ModelOutputs, by: _Comparison) -> DriftStatistics | None:
    """Return the drift on the device crops of the test split, None if it has none."""
    chosen = np.array([is_crop(row) for row in by.session.plan.run.pictures("test")])
    if not chosen.any():
        return None
    first, second = (replace(item, logits=item.logits[chosen], ood_logits=None) for item in (by.reference, ours))
    return measure_drift(first, second, by.class_ids[chosen])


def _field_figures(ours: ModelOutputs, plan: ExportPlan) -> FieldFigures | None:
    rule = ours.output.reject
    if rule is None:
        return None
    rows, groups = plan.run.pictures("test"), read_groups(plan.data)
    return field_figures(rows, ours.logits, ours.output, (rule.score, rule.threshold), groups)


def _add_cause(gate: GateResult, file: Predictor, logits: Logits, by: _Comparison) -> GateResult:
    """Add the probable cause of a failure; some images are run again with red and blue exchanged."""
    images = _sample(by.session.plan)
    exchanged = file.logits(np.ascontiguousarray(images[..., ::-1]))
    swapped = ChannelSwap(by.trained.logits(images), file.logits(images), exchanged)
    return with_cause(gate, diagnose(by.reference.logits, logits, by.session.plan.run.labels, swapped))


def _stride(plan: ExportPlan) -> int:
    return max(1, -(-len(plan.files("test")) // SWAP_COUNT))


def _sample(plan: ExportPlan) -> Images:
    """Return an even sample of the test images, as the models take them."""
    return np.stack([fit_file(path, plan.run.input) for path in plan.files("test")[:: _stride(plan)]])
