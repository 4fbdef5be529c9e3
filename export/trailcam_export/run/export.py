"""Export a trained model to bundles: convert, compare with the trained model, measure, apply the gate, write.

    run + pictures -> plan -> calibration images -> logits of the trained model
        for each variant: convert -> check the file -> parity of floats -> logits on validation, test and OOD images
        -> --fix, if int8 drifts too far -> temperature, reject rule, scores, drift, gate
        -> golden vectors -> NAME/<variant>.bundle, NAME/drift.json, NAME/drift.junit.xml, NAME/report.html

All files of an export appear together, or none does. The finished parts of an interrupted export are kept beside them
(``resume_cache``), and the same command continues from there.
"""

import gc
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from trailcam_core.datasets.run_directory import split_to_bytes
from trailcam_core.images.resize import Image
from trailcam_core.jobs.progress import Progress, silent
from trailcam_export.calibration.calibration_set import CalibrationSet
from trailcam_export.calibration.features import feature_function
from trailcam_export.calibration.select import CalibrationSelection, select_calibration
from trailcam_export.convert.variants import MIXED_INT8
from trailcam_export.gate.statistics import Score
from trailcam_export.inference.batches import fit_file
from trailcam_export.inference.predict import KerasPredictor
from trailcam_export.keras_model.load_run_model import open_trained_model
from trailcam_export.onnx_model.open_onnx import OnnxClassifier
from trailcam_export.onnx_model.predict import OnnxPredictor, onnx_feature_function
from trailcam_export.report.findings import Findings, FixFindings
from trailcam_export.run.cache_key import cache_inputs
from trailcam_export.run.convert_variant import VariantConverter
from trailcam_export.run.evaluate_variants import Reference, check_trained_reference, evaluate_variants
from trailcam_export.run.golden_vectors import read_golden_pictures
from trailcam_export.run.plan import ExportPlan, ExportRequest, make_plan
from trailcam_export.run.resume_cache import open_resume_cache
from trailcam_export.run.run_fix import run_fix
from trailcam_export.run.session import ConvertedVariants, ExportSession
from trailcam_export.run.write_bundle import BundleWriter, VariantReport, write_findings

CALIBRATION_FILE = "calibration.csv"
SPLIT_FILE = "split.csv"
_TRAINED = "trained"  # the Keras model, beside the variants


@dataclass(frozen=True)
class ExportReport:
    """A finished export.

    ``findings`` are those of the drift gate. ``passed``: no variant failed it, except one that a fixed variant
    replaces. ``peak_memory_mb`` is the largest resident size of this process. ``fix_asked``: ``--fix`` was given.
    """

    folder: Path
    trained: Score
    variants: tuple[VariantReport, ...]
    notes: tuple[str, ...]
    findings: Findings
    passed: bool
    calibration_count: int
    peak_memory_mb: float
    fix_asked: bool = False


def export_run(request: ExportRequest, progress: Progress = silent) -> ExportReport:
    """Export a model; the bundles are at ``request.out``/NAME on return, also if the gate fails.

    Raises:
        TrainError: not a finished run.
        DataError: its pictures cannot be used.
        SourceError: a picture cannot be read.
        ExportError: the model cannot be converted, a float file disagrees with it, calibration images are unfit, or the
            labels of a foreign model are in another order than its outputs.
        OSError: the disk is full or read-only; no bundle is left behind, finished parts stay for the next try.
    """
    plan = make_plan(request, progress)
    model = _open_model(plan, progress)
    with open_resume_cache(request.out, plan.draft.name, cache_inputs(plan)) as cache:
        session = ExportSession(plan, cache, progress)
        selection = _select_calibration(session, model)
        trained = _measure_trained(session, model)
        converter = _make_converter(session, model, trained, selection.pictures)
        converted = _convert_variants(session, converter)
        fix = _run_fix(session, converted, converter, selection.pictures, request) if request.fix else None
        findings = evaluate_variants(converted, trained, fix, session, request.gate)
        variants = _write(session, converted, findings, selection, request)
    score = findings.variants[0].drift.reference
    return ExportReport(
        folder=plan.folder,
        trained=score,
        variants=variants,
        notes=(*plan.notes, *selection.notes, *_notes(plan, score, request.fix and fix is None)),
        findings=findings,
        passed=findings.passed(request.inconclusive_fails),
        calibration_count=len(selection.pictures),
        peak_memory_mb=_peak_memory_mb(),
        fix_asked=request.fix,
    )


def _open_model(plan: ExportPlan, progress: Progress) -> keras.Model | OnnxClassifier:
    if plan.foreign_model is not None:
        return plan.foreign_model
    progress("opening the trained model", 0, 1)
    model = open_trained_model(plan.model_path, plan.run.input, plan.run.labels)
    progress("opening the trained model", 1, 1)
    return model


def _select_calibration(session: ExportSession, model: keras.Model | OnnxClassifier) -> CalibrationSelection:
    """Select the calibration images, or take the selection of an interrupted export."""
    candidates = session.plan.candidates
    if not candidates.pool:
        return CalibrationSelection(CalibrationSet(()), ())
    kept = session.cache.load_selection(candidates.pool, candidates.frames)
    if kept is None:
        onnx = isinstance(model, OnnxClassifier)
        features = onnx_feature_function(model.proto) if onnx else feature_function(model)
        kept = select_calibration(features, candidates, session.progress)
        session.cache.save_selection(kept)
    return kept


def _measure_trained(session: ExportSession, model: keras.Model | OnnxClassifier) -> Reference:
    plan = session.plan
    predictor = OnnxPredictor(model.proto) if isinstance(model, OnnxClassifier) else KerasPredictor(model)
    # a float32 file gives the same numbers on validation, or parity would stop the export
    without = "validation" if any(variant.scheme == "float32" for variant in plan.variants) else None
    logits = session.measure_logits(_TRAINED, plan.model_sha256, "the trained model", lambda: predictor, without)
    warning = check_trained_reference(predictor, logits, session) if plan.foreign_model is not None else None
    return Reference(predictor, logits, warning)


def _make_converter(
    session: ExportSession, model: keras.Model | OnnxClassifier, trained: Reference, pictures: CalibrationSet
) -> VariantConverter:
    plan = session.plan

    def calibration(name: str) -> Iterator[Image]:
        return pictures.stream(plan.data, plan.run.input, session.progress, f"calibrating {name}")

    images = np.stack([fit_file(path, plan.run.input) for path in plan.parity_files()])
    return VariantConverter(model, trained.predictor, plan, calibration, images, session.cache, session.progress)


def _convert_variants(session: ExportSession, converter: VariantConverter) -> ConvertedVariants:
    """Convert and measure the variants in turn; only the logits of one stay in memory during the next."""
    converted = ConvertedVariants()
    for variant in session.plan.variants:
        session.progress(f"converting to {variant.name}", 0, 1)
        file = converter.convert(variant)
        session.progress(f"converting to {variant.name}", 1, 1)
        converted.add(variant, file, session)
        gc.collect()  # graphs hold each other in circles
    return converted


def _run_fix(
    session: ExportSession,
    converted: ConvertedVariants,
    converter: VariantConverter,
    pictures: CalibrationSet,
    request: ExportRequest,
) -> FixFindings | None:
    """Run ``--fix``; add the file that it found to ``converted``."""
    start_s = time.monotonic()
    fix = run_fix(converted, pictures, session, request.gate)
    if fix is not None and fix.fix.content is not None:
        file = converter.finish(MIXED_INT8, fix.fix.content, time.monotonic() - start_s)
        converted.add(MIXED_INT8, file, session)
    return fix


def _write(
    session: ExportSession,
    converted: ConvertedVariants,
    findings: Findings,
    selection: CalibrationSelection,
    request: ExportRequest,
) -> tuple[VariantReport, ...]:
    plan, total = session.plan, len(converted.files)
    golden = plan.golden_pictures or read_golden_pictures(plan.golden_files, plan.run.input)
    with session.cache.publishing(plan.folder) as staging:
        writer = BundleWriter(session, selection, golden, staging)
        variants: list[VariantReport] = []
        for found, (variant, file) in zip(findings.variants, converted.files.items(), strict=True):
            session.progress("writing bundles", len(variants), total)
            variants.append(writer.write(found, variant, file))
        session.progress("writing bundles", total, total)
        write_findings(findings, staging, request.inconclusive_fails)
        if len(selection.pictures):
            (staging / CALIBRATION_FILE).write_bytes(selection.pictures.to_csv())
        if plan.foreign_model is not None:
            (staging / SPLIT_FILE).write_bytes(split_to_bytes(plan.run.rows))
    return tuple(variants)


def _notes(plan: ExportPlan, score: Score, nothing_to_fix: bool) -> tuple[str, ...]:
    notes = []
    missing = [label for label, recall in zip(plan.run.labels, score.recall, strict=True) if recall is None]
    if missing:
        notes.append(f"the test split shows no {', '.join(missing)}, so the manifests state no scores")
    if nothing_to_fix:
        notes.append("int8 satisfies the gate on validation pictures, so --fix left it as it is")
    return tuple(notes)


def _peak_memory_mb() -> float:
    """Return the largest resident size of this process; macOS counts in bytes, Linux in kilobytes (getrusage(2))."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
