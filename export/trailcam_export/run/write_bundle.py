"""The last step of an export: a bundle per variant with manifest and golden vectors, and the files beside them."""

import hashlib
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from trailcam_core.bundle.folder import describe_file, write_bundle
from trailcam_core.bundle.golden_file import golden_to_bytes
from trailcam_core.golden_replay import check_model
from trailcam_core.inference.open_model import open_model
from trailcam_core.spec import Drift, Gate, GoldenEntry, Manifest, ModelEntry, OutputSpec
from trailcam_export.calibration.select import Choice
from trailcam_export.convert.quantise import QUANTIZER_OF
from trailcam_export.convert.variants import MIXED_INT8, Variant
from trailcam_export.gate.gate import Verdict
from trailcam_export.gate.statistics import Score
from trailcam_export.report.drift_json import drift_to_bytes
from trailcam_export.report.findings import Findings, VariantFindings
from trailcam_export.report.html import render_drift_report
from trailcam_export.report.junit import junit_to_bytes
from trailcam_export.run.convert_variant import find_runtime_min
from trailcam_export.run.golden_vectors import GoldenPictures, make_golden
from trailcam_export.run.plan import Plan
from trailcam_export.run.resume_cache import Converted, WorkFolder

__all__ = ["VariantReport", "write_findings", "write_variant"]

_PACKAGES = {"litert": "litert-quantizer", "tensorflow": "tensorflow"}


@dataclass(frozen=True)
class VariantReport:
    """One bundle: what it scored on the test split, its drift, and what the gate says of it and why.

    ``variant`` is its name (``int8``, ``onnx-int8``), ``scheme`` the numbers inside, ``parity`` the largest difference
    of a logit to the trained model (None for integers), ``conversion_s`` how long making it took, with the search of
    ``--fix`` where that made it.
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


def write_findings(findings: Findings, staging: Path, inconclusive_fails: bool) -> None:
    """Write what the drift gate found, for programs, for CI servers and for people."""
    (staging / "drift.json").write_bytes(drift_to_bytes(findings))
    (staging / "drift.junit.xml").write_bytes(junit_to_bytes(findings, inconclusive_fails))
    (staging / "report.html").write_text(render_drift_report(findings), encoding="utf-8")


def write_variant(
    found: VariantFindings,
    variant: Variant,
    file: Converted,
    plan: Plan,
    choice: Choice,
    golden: GoldenPictures,
    staging: Path,
    work: WorkFolder,
) -> VariantReport:
    """Write one bundle into ``staging`` and report on it as it will stand in its final place.

    Raises:
        BundleError: the file does not fit its manifest.
        OSError: the disk is full or read-only.
    """
    statistics = found.drift
    drift = statistics.as_drift(Gate(found.gate.preset, found.gate.verdict.value))
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
        output=found.answers.output,
        metrics=statistics.variant.as_metrics(),
        drift=drift,
        provenance=plan.draft.provenance | _made_with(variant, plan, choice),
    )
    check_model(open_model(file.path), manifest, variant.name)
    write_bundle(staging / found.bundle, manifest, file.path, content)
    return VariantReport(
        variant=variant.name,
        scheme=variant.scheme,
        bundle=plan.folder / found.bundle,
        size_bytes=model_entry.size_bytes,
        score=statistics.variant,
        drift=drift,
        output=found.answers.output,
        verdict=found.gate.verdict,
        reason=found.gate.reason,
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
        chosen = "litert" if variant == MIXED_INT8 else plan.quantizer or QUANTIZER_OF[variant.scheme]
        made["quantizer"] = f"{_PACKAGES[chosen]} {version(_PACKAGES[chosen])}"
    return made
