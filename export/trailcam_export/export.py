"""From a finished run to bundles: convert, check against the trained model, measure, write.

    run + pictures -> plan -> convert each scheme -> parity of float32 -> logits of every file on validation and test
                   -> temperature, reject rule, scores, drift, golden vectors -> NAME/<scheme>.bundle

All bundles of an export appear together, or none does.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from trailcam_edge.bundle import check_model, describe_file, write_bundle
from trailcam_edge.disk import staged_directory
from trailcam_edge.golden import golden_to_bytes
from trailcam_edge.interpreters import TFLiteModel
from trailcam_edge.manifest import Drift, GoldenEntry, Manifest, ModelEntry, OutputSpec
from trailcam_edge.progress import Progress, silent
from trailcam_export.answers import Answerer, KerasAnswerer, TFLiteAnswerer, collect_logits
from trailcam_export.convert import convert_float32, convert_int8
from trailcam_export.drift import ClassIds, Score, Verdict, compare, judge, score, to_class_ids
from trailcam_export.golden_vectors import GoldenPictures, make_golden, read_golden_pictures
from trailcam_export.output_rule import fit_output
from trailcam_export.parity import check_parity
from trailcam_export.pictures import Logits, fit_file
from trailcam_export.plan import ExportRequest, Plan, make_plan
from trailcam_export.trained import open_trained_model

__all__ = ["SCHEMES", "ExportReport", "VariantReport", "export_run"]

SCHEMES = ("float32", "int8")
_TRAINED = "trained"  # the Keras model, beside the schemes
_WORK = "work"


@dataclass(frozen=True)
class VariantReport:
    """One bundle: what it scored on the test split, its drift, and what the gate says of it and why."""

    scheme: str
    bundle: Path
    size_bytes: int
    score: Score
    drift: Drift
    output: OutputSpec
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class ExportReport:
    """A finished export; ``parity`` is the largest difference of a logit between float32 and the trained model."""

    folder: Path
    trained: Score
    parity: float
    variants: tuple[VariantReport, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """True when no variant failed the gate."""
        return all(variant.verdict is not Verdict.FAIL for variant in self.variants)


@dataclass(frozen=True)
class _Measured:
    """Logits of each model, by name, and the true classes."""

    validation: Mapping[str, Logits]
    validation_ids: ClassIds
    test: Mapping[str, Logits]
    test_ids: ClassIds
    others: Mapping[str, Logits]


def export_run(request: ExportRequest, progress: Progress = silent) -> ExportReport:
    """Export a run; the bundles stand at ``request.out``/NAME when this returns, also where the gate says fail.

    Raises:
        TrainError: not a finished run.
        DataError: its pictures cannot be used.
        SourceError: a picture cannot be read.
        ExportError: the model cannot be converted, or the float32 file disagrees with it.
        OSError: the disk is full or read-only; nothing is left behind.
    """
    plan = make_plan(request, progress)
    progress("opening the trained model", 0, 1)
    model = open_trained_model(plan.run.model_path, plan.run.input, plan.run.labels)
    progress("opening the trained model", 1, 1)
    golden = read_golden_pictures(plan.golden_files, plan.run.input)
    with staged_directory(plan.folder) as staging:
        work = staging / _WORK
        work.mkdir()
        trained = KerasAnswerer(model)
        files, parity = _convert(model, trained, plan, work, progress)
        measured = _measure(trained, files, plan, progress)
        variants = []
        for done, (scheme, file) in enumerate(files.items()):
            progress("writing bundles", done, len(files))
            variants.append(_write_variant(scheme, file, plan, measured, golden, staging, parity))
        progress("writing bundles", len(files), len(files))
        shutil.rmtree(work)
    whole = score(measured.test[_TRAINED], measured.test_ids)
    return ExportReport(plan.folder, whole, parity, tuple(variants), _notes(plan, whole))


def _convert(
    model: keras.Model, trained: Answerer, plan: Plan, work: Path, progress: Progress
) -> tuple[dict[str, Path], float]:
    """Write each scheme's file; float32 must agree with the trained model before anything else is done."""
    files = {scheme: work / f"{scheme}.tflite" for scheme in SCHEMES}
    progress("converting to float32", 0, 1)
    files["float32"].write_bytes(convert_float32(model))
    images = np.stack([fit_file(path, plan.run.input) for path in plan.parity_files()])
    parity = check_parity(trained, TFLiteAnswerer(files["float32"]), images)
    progress("converting to float32", 1, 1)
    calibration = plan.calibration.stream(plan.data, plan.run.input, progress)
    files["int8"].write_bytes(convert_int8(model, calibration))
    return files, parity


def _measure(trained: Answerer, files: Mapping[str, Path], plan: Plan, progress: Progress) -> _Measured:
    converted: dict[str, Answerer] = {scheme: TFLiteAnswerer(path) for scheme, path in files.items()}
    run = plan.run

    def ids(split: str) -> ClassIds:
        return to_class_ids(run.labels, [row.label for row in run.pictures(split)])

    def ask(paths: list[Path], answerers: Mapping[str, Answerer], stage: str) -> dict[str, Logits]:
        return collect_logits(paths, run.input, answerers, stage, progress)

    validation = ask(plan.files("validation"), converted, "measuring on validation")
    test = ask(plan.files("test"), {_TRAINED: trained, **converted}, "measuring on test")
    others = ask(list(plan.others_files), converted, "measuring on others") if plan.others_files else {}
    return _Measured(validation, ids("validation"), test, ids("test"), others)


def _write_variant(
    scheme: str, file: Path, plan: Plan, measured: _Measured, golden: GoldenPictures, staging: Path, parity: float
) -> VariantReport:
    """Write one bundle into ``staging`` and report on it as it will stand in its final place."""
    test = measured.test[scheme]
    output = fit_output(
        plan.run.labels,
        plan.reject_score,
        (measured.validation[scheme], measured.validation_ids),
        test,
        measured.others.get(scheme),
    )
    variant_score = score(test, measured.test_ids)
    drift = compare(measured.test[_TRAINED], test, measured.test_ids)
    vectors, tolerance = make_golden(file, golden, plan.run.input)
    content = golden_to_bytes(vectors)
    golden_file = file.with_suffix(".npz")
    golden_file.write_bytes(content)
    model_entry = describe_file(file, "model.tflite")
    golden_entry = describe_file(golden_file, "golden.npz")
    manifest: Manifest = replace(
        plan.draft,
        model=ModelEntry(model_entry.file, model_entry.sha256, model_entry.size_bytes, "tflite", scheme),
        golden=GoldenEntry(golden_entry.file, golden_entry.sha256, golden_entry.size_bytes, tolerance),
        output=output,
        metrics=variant_score.as_metrics(),
        drift=drift,
    )
    check_model(TFLiteModel(file), manifest, scheme)
    name = f"{scheme}.bundle"
    write_bundle(staging / name, manifest, file, content)
    verdict, reason = judge(drift)
    if scheme == "float32":
        verdict, reason = Verdict.PASS, f"logits within {parity:.1g} of the trained model"
    return VariantReport(
        scheme, plan.folder / name, model_entry.size_bytes, variant_score, drift, output, verdict, reason
    )


def _notes(plan: Plan, whole: Score) -> tuple[str, ...]:
    notes = []
    missing = [label for label, share in zip(plan.run.labels, whole.recall, strict=True) if share is None]
    if missing:
        notes.append(f"the test split shows no {', '.join(missing)}, so the manifests state no scores")
    if plan.others_unreadable:
        notes.append(f"{plan.others_unreadable} files of --others do not decode and were left out")
    return tuple(notes)
