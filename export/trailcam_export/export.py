"""From a trained model to bundles: convert, check against the trained model, measure, write.

    run + pictures -> plan -> calibration pictures
        for each variant: convert -> look into the file -> parity of floats -> logits on validation and test
        -> temperature, reject rule, scores, drift, gate, golden vectors -> NAME/<variant>.bundle

All bundles of an export appear together, or none does. What is finished of an export that was killed is kept beside
them (``work_folder``), and the same command goes on from there.
"""

import gc
import hashlib
import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from trailcam_edge.bundle import check_model, describe_file, write_bundle
from trailcam_edge.disk import staged_directory
from trailcam_edge.golden import golden_to_bytes
from trailcam_edge.manifest import Drift, Gate, GoldenEntry, Manifest, ModelEntry, OutputSpec
from trailcam_edge.models import open_model
from trailcam_edge.preprocessing import Image
from trailcam_edge.progress import Progress, silent
from trailcam_edge.run_directory import split_to_bytes
from trailcam_export.answers import Answerer, FileAnswerer, KerasAnswerer, collect_logits
from trailcam_export.calibration import CalibrationSet
from trailcam_export.choose_calibration import Choice, choose_calibration, feature_function
from trailcam_export.drift import ClassIds, Score, Verdict, compare, judge, score, to_class_ids
from trailcam_export.golden_vectors import GoldenPictures, make_golden, read_golden_pictures
from trailcam_export.make_file import FileMaker, find_runtime_min
from trailcam_export.output_rule import fit_output
from trailcam_export.pictures import Logits, fit_file
from trailcam_export.plain_model import open_plain_model
from trailcam_export.plan import ExportRequest, Plan, make_plan
from trailcam_export.quantise import QUANTIZER_OF
from trailcam_export.trained import check_trained_model, open_trained_model
from trailcam_export.variants import Variant
from trailcam_export.work_folder import Converted, WorkFolder, open_work_folder

__all__ = ["CALIBRATION_FILE", "SPLIT_FILE", "ExportReport", "Judgement", "VariantReport", "export_run"]

CALIBRATION_FILE = "calibration.csv"
SPLIT_FILE = "split.csv"
_TRAINED = "trained"  # the Keras model, beside the variants
_PRESET = "basic"  # the gate of ``drift``
_PACKAGES = {"litert": "litert-quantizer", "tensorflow": "tensorflow"}


@dataclass(frozen=True)
class Judgement:
    """What the test split says of one file: its score, its drift from the trained model, and the gate's verdict."""

    score: Score
    drift: Drift
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class VariantReport:
    """One bundle: what it scored on the test split, its drift, and what the gate says of it and why.

    ``variant`` is its name (``int8``, ``onnx-int8``), ``scheme`` the numbers inside, ``parity`` the largest difference
    of a logit to the trained model (None for integers).
    """

    variant: str
    scheme: str
    bundle: Path
    size_bytes: int
    score: Score
    drift: Drift
    output: OutputSpec
    verdict: Verdict
    reason: str
    parity: float | None
    conversion_s: float


@dataclass(frozen=True)
class ExportReport:
    """A finished export; ``peak_memory_mb`` is the most that this process ever held."""

    folder: Path
    trained: Score
    variants: tuple[VariantReport, ...]
    notes: tuple[str, ...]
    calibration_count: int
    peak_memory_mb: float

    @property
    def passed(self) -> bool:
        """True when no variant failed the gate."""
        return all(variant.verdict is not Verdict.FAIL for variant in self.variants)


@dataclass(frozen=True)
class _Measured:
    """Logits of the trained model on test pictures, and the true classes of validation and test pictures."""

    trained: Logits
    validation_ids: ClassIds
    test_ids: ClassIds


def export_run(request: ExportRequest, progress: Progress = silent) -> ExportReport:
    """Export a model; the bundles stand at ``request.out``/NAME when this returns, also where the gate says fail.

    Raises:
        TrainError: not a finished run.
        DataError: its pictures cannot be used.
        SourceError: a picture cannot be read.
        ExportError: the model cannot be converted, a float file disagrees with it, or calibration pictures are unfit.
        OSError: the disk is full or read-only; no bundle is left behind, finished parts stay for the next try.
    """
    plan = make_plan(request, progress)
    progress("opening the trained model", 0, 1)
    model = _open_model(plan)
    progress("opening the trained model", 1, 1)
    golden = read_golden_pictures(plan.golden_files, plan.run.input)
    with open_work_folder(request.out, plan.draft.name, plan.inputs) as work:
        trained = KerasAnswerer(model)
        choice = _choose_calibration(plan, model, work, progress)
        measured = _measure_trained(trained, plan, work, progress)
        files = _make_files(plan, model, trained, choice.pictures, work, progress)
        with staged_directory(plan.folder) as staging:
            variants = []
            for done, (variant, file) in enumerate(files.items()):
                progress("writing bundles", done, len(files))
                variants.append(_write_variant(variant, file, plan, measured, choice, golden, staging, work))
            progress("writing bundles", len(files), len(files))
            if len(choice.pictures):
                (staging / CALIBRATION_FILE).write_bytes(choice.pictures.to_csv())
            if plan.is_plain:
                (staging / SPLIT_FILE).write_bytes(split_to_bytes(plan.run.rows))
    whole = score(measured.trained, measured.test_ids)
    notes = (*plan.notes, *choice.notes, *_notes(plan, whole))
    return ExportReport(plan.folder, whole, tuple(variants), notes, len(choice.pictures), _peak_memory_mb())


def _open_model(plan: Plan) -> keras.Model:
    if not plan.is_plain:
        return open_trained_model(plan.model_path, plan.run.input, plan.run.labels)
    model = open_plain_model(plan.model_path, plan.run.labels, plan.value_range)
    check_trained_model(model, plan.model_path, plan.run.input, plan.run.labels)
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


def _measure_trained(trained: Answerer, plan: Plan, work: WorkFolder, progress: Progress) -> _Measured:
    def ids(split: str) -> ClassIds:
        return to_class_ids(plan.run.labels, [row.label for row in plan.run.pictures(split)])

    logits = work.load_logits(_TRAINED, plan.model_sha256)
    if logits is None:
        asked = {_TRAINED: trained}
        stage = "measuring the trained model"
        logits = {"test": collect_logits(plan.files("test"), plan.run.input, asked, stage, progress)[_TRAINED]}
        work.save_logits(_TRAINED, plan.model_sha256, logits)
    return _Measured(logits["test"], ids("validation"), ids("test"))


def _make_files(
    plan: Plan,
    model: keras.Model,
    trained: Answerer,
    pictures: CalibrationSet,
    work: WorkFolder,
    progress: Progress,
) -> dict[Variant, Converted]:
    """Convert and measure one variant after the other; nothing of one is held while the next is made."""

    def calibration(name: str) -> Iterator[Image]:
        return pictures.stream(plan.data, plan.run.input, progress, f"calibrating {name}")

    images = np.stack([fit_file(path, plan.run.input) for path in plan.parity_files()])
    maker = FileMaker(model, trained, plan.card, calibration, images, plan.quantizer, work)
    files = {}
    for variant in plan.variants:
        progress(f"converting to {variant.name}", 0, 1)
        files[variant] = maker.make(variant)
        progress(f"converting to {variant.name}", 1, 1)
        _measure_file(variant, files[variant], plan, work, progress)
        gc.collect()  # graphs hold each other in circles
    return files


def _measure_file(variant: Variant, file: Converted, plan: Plan, work: WorkFolder, progress: Progress) -> None:
    """Keep a file's logits on validation, test and others."""
    if work.load_logits(variant.name, file.sha256) is not None:
        return
    asked: dict[str, Answerer] = {variant.name: FileAnswerer(file.path)}
    shown = {"validation": plan.files("validation"), "test": plan.files("test"), "others": list(plan.others_files)}
    logits = {
        what: collect_logits(paths, plan.run.input, asked, f"measuring {variant.name} on {what}", progress)[
            variant.name
        ]
        for what, paths in shown.items()
        if paths
    }
    work.save_logits(variant.name, file.sha256, logits)


def _judge(variant: Variant, file: Converted, test: Logits, measured: _Measured) -> Judgement:
    """Say what the test split says of a file. The one place where drift is measured and judged."""
    drift = compare(measured.trained, test, measured.test_ids)
    verdict, reason = judge(drift)
    if variant.is_float:
        verdict, reason = Verdict.PASS, f"logits within {file.parity:.1g} of the trained model"
    drift = replace(drift, gate=Gate(_PRESET, verdict.value))
    return Judgement(score(test, measured.test_ids), drift, verdict, reason)


def _write_variant(
    variant: Variant,
    file: Converted,
    plan: Plan,
    measured: _Measured,
    choice: Choice,
    golden: GoldenPictures,
    staging: Path,
    work: WorkFolder,
) -> VariantReport:
    """Write one bundle into ``staging`` and report on it as it will stand in its final place."""
    logits: Mapping[str, Logits] = work.load_logits(variant.name, file.sha256) or {}
    output = fit_output(
        plan.run.labels,
        plan.reject_score,
        (logits["validation"], measured.validation_ids),
        logits["test"],
        logits.get("others"),
    )
    judged = _judge(variant, file, logits["test"], measured)
    vectors, tolerance = make_golden(file.path, golden, plan.run.input, variant.scheme)
    content = golden_to_bytes(vectors)
    golden_file = work.path / "golden.npz"
    golden_file.write_bytes(content)
    model_entry = describe_file(file.path, f"model.{variant.format}")
    golden_entry = describe_file(golden_file, "golden.npz")
    runtimes = find_runtime_min(variant, file.path)
    manifest: Manifest = replace(
        plan.draft,
        model=ModelEntry(**vars(model_entry), format=variant.format, scheme=variant.scheme, runtime_min=runtimes),
        golden=GoldenEntry(golden_entry.file, golden_entry.sha256, golden_entry.size_bytes, tolerance),
        output=output,
        metrics=judged.score.as_metrics(),
        drift=judged.drift,
        provenance=plan.draft.provenance | _made_with(variant, plan, choice),
    )
    check_model(open_model(file.path), manifest, variant.name)
    name = f"{variant.name}.bundle"
    write_bundle(staging / name, manifest, file.path, content)
    return VariantReport(
        variant=variant.name,
        scheme=variant.scheme,
        bundle=plan.folder / name,
        size_bytes=model_entry.size_bytes,
        score=judged.score,
        drift=judged.drift,
        output=output,
        verdict=judged.verdict,
        reason=judged.reason,
        parity=file.parity,
        conversion_s=file.conversion_s,
    )


def _made_with(variant: Variant, plan: Plan, choice: Choice) -> dict[str, str]:
    """Return what provenance says of one variant: the trained model, converter, quantiser and calibration pictures."""
    made = {"source_sha256": plan.model_sha256}
    if variant.format == "onnx":
        made["tf2onnx"] = version("tf2onnx")
    if variant.needs_calibration:
        made["calibration_count"] = str(len(choice.pictures))
        made["calibration_sha256"] = hashlib.sha256(choice.pictures.to_csv()).hexdigest()
    if variant.format == "onnx" and variant.scheme == "int8":
        made["quantizer"] = f"onnxruntime {version('onnxruntime')}"
    elif not variant.is_float:
        package = _PACKAGES[plan.quantizer or QUANTIZER_OF[variant.scheme]]
        made["quantizer"] = f"{package} {version(package)}"
    return made


def _notes(plan: Plan, whole: Score) -> tuple[str, ...]:
    notes = []
    missing = [label for label, share in zip(plan.run.labels, whole.recall, strict=True) if share is None]
    if missing:
        notes.append(f"the test split shows no {', '.join(missing)}, so the manifests state no scores")
    if plan.others_unreadable:
        notes.append(f"{plan.others_unreadable} files of --others do not decode and were left out")
    return tuple(notes)


def _peak_memory_mb() -> float:
    """Return the largest resident size of this process; macOS counts in bytes, Linux in kilobytes (getrusage(2))."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
