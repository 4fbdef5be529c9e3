"""From a trained model to bundles: convert, check against the trained model, measure, judge, write.

    run + pictures -> plan -> calibration pictures -> logits of the trained model
        for each variant: convert -> look into the file -> parity of floats -> logits on validation, test and others
        -> --fix, where int8 drifts too far -> temperature, reject rule, scores, drift, gate
        -> golden vectors -> NAME/<variant>.bundle, NAME/drift.json, NAME/drift.junit.xml, NAME/report.html

All files of an export appear together, or none does. What is finished of an export that was killed is kept beside
them (``work_folder``), and the same command goes on from there.
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
from trailcam_core.files.atomic import staged_directory
from trailcam_core.images.resize import Image
from trailcam_core.progress import Progress, silent
from trailcam_export.calibration.calibration_set import CalibrationSet
from trailcam_export.calibration.select import Choice, choose_calibration, feature_function
from trailcam_export.convert.variants import FIX_NEEDS, MIXED_INT8, Variant
from trailcam_export.gate.statistics import Score
from trailcam_export.inference.batches import fit_file
from trailcam_export.inference.predict import Answerer, FileAnswerer, KerasAnswerer
from trailcam_export.keras_model.load_run_model import open_trained_model
from trailcam_export.report.findings import Findings, FixFindings
from trailcam_export.run.convert_variant import FileMaker
from trailcam_export.run.evaluate_variants import Measured, doubt_trained, judge_files, measure, true_classes
from trailcam_export.run.golden_vectors import read_golden_pictures
from trailcam_export.run.plan import ExportRequest, Plan, make_plan
from trailcam_export.run.resume_cache import Converted, WorkFolder, open_work_folder
from trailcam_export.run.run_fix import repair_int8
from trailcam_export.run.write_bundle import VariantReport, write_findings, write_variant

__all__ = ["CALIBRATION_FILE", "SPLIT_FILE", "ExportReport", "export_run"]

CALIBRATION_FILE = "calibration.csv"
SPLIT_FILE = "split.csv"
_TRAINED = "trained"  # the Keras model, beside the variants


@dataclass(frozen=True)
class ExportReport:
    """A finished export.

    ``findings`` is all that the drift gate found, ``passed`` is true when no variant failed it but one that a fixed
    variant stands in for, ``peak_memory_mb`` is the most that this process ever held, ``fix_asked`` says that ``--fix``
    was given.
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


@dataclass(frozen=True)
class _Made:
    """The files of an export and the logits of each."""

    files: dict[Variant, Converted]
    measured: dict[Variant, Measured]


def export_run(request: ExportRequest, progress: Progress = silent) -> ExportReport:
    """Export a model; the bundles stand at ``request.out``/NAME when this returns, also where the gate says fail.

    Raises:
        TrainError: not a finished run.
        DataError: its pictures cannot be used.
        SourceError: a picture cannot be read.
        ExportError: the model cannot be converted, a float file disagrees with it, calibration pictures are unfit, or
            the labels of a plain model are in another order than its outputs.
        OSError: the disk is full or read-only; no bundle is left behind, finished parts stay for the next try.
    """
    plan = make_plan(request, progress)
    model = _open_model(plan, progress)
    golden = read_golden_pictures(plan.golden_files, plan.run.input)
    with open_work_folder(request.out, plan.draft.name, plan.inputs) as work:
        trained = KerasAnswerer(model)
        choice = _choose_calibration(plan, model, work, progress)
        # a float32 file gives the same numbers on validation, or parity would stop the export
        spared = "validation" if any(variant.scheme == "float32" for variant in plan.variants) else None
        of_trained = measure(
            _TRAINED, plan.model_sha256, "the trained model", lambda: trained, plan, work, progress, spared
        )
        doubt = doubt_trained(trained, of_trained, plan) if plan.plain_model is not None else None
        maker = _file_maker(plan, model, trained, choice.pictures, work, progress)
        made = _make_files(plan, maker, work, progress)
        fix = _mend_int8(made, maker, choice.pictures, plan, request, work, progress) if request.fix else None
        findings = judge_files(made.files, made.measured, trained, of_trained, fix, plan, request.gate, doubt)
        with staged_directory(plan.folder) as staging:
            variants = []
            for done, (found, (variant, file)) in enumerate(zip(findings.variants, made.files.items(), strict=True)):
                progress("writing bundles", done, len(made.files))
                variants.append(write_variant(found, variant, file, plan, choice, golden, staging, work))
            progress("writing bundles", len(made.files), len(made.files))
            write_findings(findings, staging, request.inconclusive_fails)
            if len(choice.pictures):
                (staging / CALIBRATION_FILE).write_bytes(choice.pictures.to_csv())
            if plan.plain_model is not None:
                (staging / SPLIT_FILE).write_bytes(split_to_bytes(plan.run.rows))
    whole = findings.variants[0].drift.reference
    return ExportReport(
        folder=plan.folder,
        trained=whole,
        variants=tuple(variants),
        notes=(*plan.notes, *choice.notes, *_notes(plan, whole, request.fix and fix is None)),
        findings=findings,
        passed=findings.passed(request.inconclusive_fails),
        calibration_count=len(choice.pictures),
        peak_memory_mb=_peak_memory_mb(),
        fix_asked=request.fix,
    )


def _open_model(plan: Plan, progress: Progress) -> keras.Model:
    if plan.plain_model is not None:
        return plan.plain_model
    progress("opening the trained model", 0, 1)
    model = open_trained_model(plan.model_path, plan.run.input, plan.run.labels)
    progress("opening the trained model", 1, 1)
    return model


def _choose_calibration(plan: Plan, model: keras.Model, work: WorkFolder, progress: Progress) -> Choice:
    """Choose the calibration pictures, or take those that an unfinished export chose."""
    if not plan.pool:
        return Choice(CalibrationSet(()), ())
    kept = work.load_choice(plan.pool, plan.frames)
    if kept is None:
        kept = choose_calibration(
            feature_function(model),
            plan.pool,
            plan.frames,
            plan.held_out(),
            plan.data,
            plan.run.input,
            plan.calibration_count,
            progress,
        )
        work.save_choice(kept)
    return kept


def _file_maker(
    plan: Plan,
    model: keras.Model,
    trained: Answerer,
    pictures: CalibrationSet,
    work: WorkFolder,
    progress: Progress,
) -> FileMaker:
    def calibration(name: str) -> Iterator[Image]:
        return pictures.stream(plan.data, plan.run.input, progress, f"calibrating {name}")

    images = np.stack([fit_file(path, plan.run.input) for path in plan.parity_files()])
    return FileMaker(model, trained, plan.card, calibration, images, plan.quantizer, work)


def _make_files(plan: Plan, maker: FileMaker, work: WorkFolder, progress: Progress) -> _Made:
    """Convert and measure one variant after the other; of one only its logits are held while the next is made."""
    made = _Made({}, {})
    for variant in plan.variants:
        progress(f"converting to {variant.name}", 0, 1)
        file = maker.make(variant)
        progress(f"converting to {variant.name}", 1, 1)
        _add(made, variant, file, plan, work, progress)
        gc.collect()  # graphs hold each other in circles
    return made


def _add(made: _Made, variant: Variant, file: Converted, plan: Plan, work: WorkFolder, progress: Progress) -> None:
    made.files[variant] = file
    made.measured[variant] = measure(
        variant.name, file.sha256, variant.name, lambda: FileAnswerer(file.path), plan, work, progress
    )


def _mend_int8(
    made: _Made,
    maker: FileMaker,
    pictures: CalibrationSet,
    plan: Plan,
    request: ExportRequest,
    work: WorkFolder,
    progress: Progress,
) -> FixFindings | None:
    """Return what ``--fix`` tried, None where int8 needs none; the file that it found is added to ``made``."""
    start_s = time.monotonic()
    needed = {variant.name: variant for variant in made.files if variant.name in FIX_NEEDS}
    fix = repair_int8(
        {name: made.files[variant].path for name, variant in needed.items()},
        {name: made.measured[variant]["validation"] for name, variant in needed.items()},
        true_classes(plan, "validation"),
        pictures,
        plan,
        request.gate,
        work,
        progress,
    )
    if fix is not None and fix.fix.content is not None:
        file = maker.finish(MIXED_INT8, fix.fix.content, time.monotonic() - start_s)
        _add(made, MIXED_INT8, file, plan, work, progress)
    return fix


def _notes(plan: Plan, whole: Score, nothing_to_fix: bool) -> tuple[str, ...]:
    notes = []
    missing = [label for label, share in zip(plan.run.labels, whole.recall, strict=True) if share is None]
    if missing:
        notes.append(f"the test split shows no {', '.join(missing)}, so the manifests state no scores")
    if plan.others_unreadable:
        notes.append(f"{plan.others_unreadable} files of --others do not decode and were left out")
    if nothing_to_fix:
        notes.append("int8 satisfies the gate on validation pictures, so --fix left it as it is")
    return tuple(notes)


def _peak_memory_mb() -> float:
    """Return the largest resident size of this process; macOS counts in bytes, Linux in kilobytes (getrusage(2))."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
