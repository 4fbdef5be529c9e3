"""From a finished run to bundles: convert, check against the trained model, measure, write.

    run + pictures -> plan -> convert each scheme -> parity of float32 -> logits of every file on validation and test
                   -> temperature, reject rule, scores, drift, gate, golden vectors -> NAME/<scheme>.bundle
                   -> NAME/drift.json, NAME/drift.junit.xml, NAME/report.html

All files of an export appear together, or none does.
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
from trailcam_export.diagnosis import SWAP_COUNT, Swapped, diagnose
from trailcam_export.drift import Answers, ClassIds, Score, compare, measure_drift, score, to_class_ids
from trailcam_export.drift_record import drift_to_bytes
from trailcam_export.drift_report import render_drift_report
from trailcam_export.findings import Findings, FixFindings, VariantFindings
from trailcam_export.gate import GateResult, Verdict, judge, pass_by_parity, with_cause
from trailcam_export.golden_vectors import GoldenPictures, make_golden, read_golden_pictures
from trailcam_export.junit import junit_to_bytes
from trailcam_export.output_rule import fit_output
from trailcam_export.parity import PARITY_COUNT, check_parity
from trailcam_export.pictures import Logits, fit_file
from trailcam_export.plan import ExportRequest, Plan, make_plan
from trailcam_export.presets import Preset
from trailcam_export.repair import MIXED, repair_int8
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
    """A finished export.

    ``parity`` is the largest difference of a logit between float32 and the trained model, ``findings`` is all that the
    drift gate found, ``passed`` is true when no variant failed it but one that a fixed variant stands in for.
    """

    folder: Path
    trained: Score
    parity: float
    variants: tuple[VariantReport, ...]
    notes: tuple[str, ...]
    findings: Findings
    passed: bool


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
        measured, fix = _measure(trained, files, plan, request, progress)
        findings = _judge(trained, files, parity, measured, fix, plan, request.gate)
        variants = []
        for done, found in enumerate(findings.variants):
            progress("writing bundles", done, len(files))
            variants.append(_write_variant(found, files[found.name], plan, measured, golden, staging))
        progress("writing bundles", len(files), len(files))
        _write_findings(findings, staging, request.inconclusive_fails)
        shutil.rmtree(work)
    whole = score(measured.test[_TRAINED], measured.test_ids)
    passed = findings.passed(request.inconclusive_fails)
    notes = _notes(plan, whole)
    if request.fix and fix is None:
        notes += ("int8 satisfies the gate on validation pictures, so --fix left it as it is",)
    return ExportReport(plan.folder, whole, parity, tuple(variants), notes, findings, passed)


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


def _measure(
    trained: Answerer, files: dict[str, Path], plan: Plan, request: ExportRequest, progress: Progress
) -> tuple[_Measured, FixFindings | None]:
    """Ask every file about every picture; the file that ``--fix`` makes in between is added to ``files``."""
    run = plan.run

    def ids(split: str) -> ClassIds:
        return to_class_ids(run.labels, [row.label for row in run.pictures(split)])

    def ask(paths: list[Path], answerers: Mapping[str, Answerer], stage: str) -> dict[str, Logits]:
        return collect_logits(paths, run.input, answerers, stage, progress)

    converted: dict[str, Answerer] = {scheme: TFLiteAnswerer(path) for scheme, path in files.items()}
    validation = ask(plan.files("validation"), converted, "measuring on validation")
    fix = repair_int8(files, validation, ids("validation"), plan, request.gate, progress) if request.fix else None
    if fix is not None and fix.fix.chosen is not None:
        files[MIXED] = files["int8"].with_name(f"{MIXED}.tflite")
        converted[MIXED] = TFLiteAnswerer(files[MIXED])
        validation |= ask(plan.files("validation"), {MIXED: converted[MIXED]}, "measuring on validation")
    test = ask(plan.files("test"), {_TRAINED: trained, **converted}, "measuring on test")
    strange = list(plan.others_files)
    others = ask(strange, {_TRAINED: trained, **converted}, "measuring on others") if strange else {}
    return _Measured(validation, ids("validation"), test, ids("test"), others), fix


def _judge(
    trained: Answerer,
    files: Mapping[str, Path],
    parity: float,
    measured: _Measured,
    fix: FixFindings | None,
    plan: Plan,
    preset: Preset,
) -> Findings:
    """Compare every file with the trained model, whose reject rule is fitted as if it shipped, and judge it."""

    def answers(name: str) -> Answers:
        validation = measured.validation["float32" if name == _TRAINED else name]  # parity: the same numbers
        others = measured.others.get(name)
        fitted = (validation, measured.validation_ids)
        return Answers(
            measured.test[name],
            fit_output(plan.run.labels, plan.reject_score, fitted, measured.test[name], others),
            others,
        )

    reference = answers(_TRAINED)
    variants = []
    for name, file in files.items():
        ours = answers(name)
        drift = measure_drift(reference, ours, measured.test_ids)
        gate = judge(drift, preset, plan.run.labels)
        if name == "float32":
            gate = pass_by_parity(parity, min(PARITY_COUNT, len(measured.validation_ids)), preset)
        elif gate.verdict is Verdict.FAIL:
            gate = _explain(gate, trained, TFLiteAnswerer(file), reference.logits, ours.logits, plan)
        variants.append(VariantFindings(name, f"{name}.bundle", file.stat().st_size, ours, drift, gate))
    fixed = next((found.name for found in variants if found.name == MIXED), None)
    return Findings(
        name=plan.draft.name,
        version=plan.draft.version,
        labels=plan.run.labels,
        preset=preset,
        data=plan.data,
        rows=plan.run.pictures("test"),
        class_ids=measured.test_ids,
        reference=reference,
        variants=tuple(variants),
        fix=fix,
        fixed=fixed,
    )


def _explain(
    gate: GateResult, trained: Answerer, file: Answerer, reference: Logits, variant: Logits, plan: Plan
) -> GateResult:
    """Add the likely cause of a fail; some pictures are asked again with red and blue exchanged."""
    images = np.stack([fit_file(path, plan.run.input) for path in plan.files("test")[:: _stride(len(reference))]])
    exchanged = file.logits(np.ascontiguousarray(images[..., ::-1]))
    swapped = Swapped(trained.logits(images), file.logits(images), exchanged)
    return with_cause(gate, diagnose(reference, variant, plan.run.labels, swapped))


def _stride(count: int) -> int:
    return max(1, -(-count // SWAP_COUNT))


def _write_findings(findings: Findings, staging: Path, inconclusive_fails: bool) -> None:
    (staging / "drift.json").write_bytes(drift_to_bytes(findings))
    (staging / "drift.junit.xml").write_bytes(junit_to_bytes(findings, inconclusive_fails))
    (staging / "report.html").write_text(render_drift_report(findings), encoding="utf-8")


def _write_variant(
    found: VariantFindings, file: Path, plan: Plan, measured: _Measured, golden: GoldenPictures, staging: Path
) -> VariantReport:
    """Write one bundle into ``staging`` and report on it as it will stand in its final place."""
    scheme = found.name
    variant_score = found.drift.variant
    drift = compare(measured.test[_TRAINED], measured.test[scheme], measured.test_ids)
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
        output=found.answers.output,
        metrics=variant_score.as_metrics(),
        drift=drift,
    )
    check_model(TFLiteModel(file), manifest, scheme)
    name = f"{scheme}.bundle"
    write_bundle(staging / name, manifest, file, content)
    return VariantReport(
        scheme,
        plan.folder / name,
        model_entry.size_bytes,
        variant_score,
        drift,
        found.answers.output,
        found.gate.verdict,
        found.gate.reason,
    )


def _notes(plan: Plan, whole: Score) -> tuple[str, ...]:
    notes = []
    missing = [label for label, share in zip(plan.run.labels, whole.recall, strict=True) if share is None]
    if missing:
        notes.append(f"the test split shows no {', '.join(missing)}, so the manifests state no scores")
    if plan.others_unreadable:
        notes.append(f"{plan.others_unreadable} files of --others do not decode and were left out")
    return tuple(notes)
