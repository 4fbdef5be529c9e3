"""Write the bundles of an export with manifest and golden vectors, and the reports beside them."""

import hashlib
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from trailcam_core.bundle.folder import describe_file, write_bundle
from trailcam_core.bundle.golden_file import golden_to_bytes
from trailcam_core.bundle.golden_replay import check_model
from trailcam_core.inference.file_model import FileModel
from trailcam_core.inference.open_model import open_model
from trailcam_core.spec import Drift, FeatureMap, Gate, GoldenEntry, Manifest, ModelEntry, OutputSpec, schema_version_of
from trailcam_export.calibration.select import CalibrationSelection
from trailcam_export.convert.quantise import QUANTIZER_OF
from trailcam_export.convert.variants import MIXED_INT8, Variant
from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.statistics import Score
from trailcam_export.report.drift_json import drift_to_bytes
from trailcam_export.report.findings import Findings, VariantFindings
from trailcam_export.report.html import render_drift_report
from trailcam_export.report.junit import junit_to_bytes
from trailcam_export.run.convert_variant import find_runtime_min
from trailcam_export.run.golden_vectors import GoldenPictures, make_golden
from trailcam_export.run.plan import ExportPlan
from trailcam_export.run.resume_cache import ConvertedFile
from trailcam_export.run.session import ExportSession

_PACKAGES = {"litert": "litert-quantizer", "tensorflow": "tensorflow"}


@dataclass(frozen=True)
class VariantReport:
    """One bundle: its score on the test split, its drift, and the verdict of the gate.

    ``variant`` is its name (``int8``, ``onnx-int8``), ``scheme`` its number format, ``parity`` the largest difference
    of a logit to the trained model (None for integers), ``conversion_s`` the duration of the conversion, including the
    search of ``--fix``.
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
    """Write the findings of the drift gate as JSON, JUnit XML and HTML."""
    (staging / "drift.json").write_bytes(drift_to_bytes(findings))
    (staging / "drift.junit.xml").write_bytes(junit_to_bytes(findings, inconclusive_fails))
    (staging / "report.html").write_text(render_drift_report(findings), encoding="utf-8")


@dataclass(frozen=True)
class BundleWriter:
    """Writes the bundles of one export into ``staging``; all share calibration images and golden pictures."""

    session: ExportSession
    selection: CalibrationSelection
    golden: GoldenPictures
    staging: Path

    def write(self, found: VariantFindings, variant: Variant, file: ConvertedFile) -> VariantReport:
        """Write one bundle; the report names its final place.

        Raises:
            BundleError: the file does not fit its manifest.
            OSError: the disk is full or read-only.
        """
        plan, statistics = self.session.plan, found.drift
        drift = statistics.as_drift(Gate(found.gate.preset, found.gate.verdict.value))
        vectors, tolerance = make_golden(file.path, self.golden, plan.run.input, variant.scheme)
        content = golden_to_bytes(vectors)
        golden_file = self.session.cache.path / "golden.npz"
        golden_file.write_bytes(content)
        model_entry = describe_file(file.path, f"model.{variant.format}")
        golden_entry = describe_file(golden_file, "golden.npz")
        runtimes = find_runtime_min(variant, file.path)
        model = open_model(file.path)
        output = _with_feature_map(found.answers.output, model)
        manifest: Manifest = replace(
            plan.draft,
            model=ModelEntry(**vars(model_entry), format=variant.format, scheme=variant.scheme, runtime_min=runtimes),
            golden=GoldenEntry(golden_entry.file, golden_entry.sha256, golden_entry.size_bytes, tolerance),
            output=output,
            field_figures=found.field_figures,
            schema_version=schema_version_of(output, found.field_figures),
            metrics=statistics.variant.as_metrics(),
            drift=drift,
            provenance=plan.draft.provenance | _made_with(variant, plan, self.selection),
        )
        check_model(model, manifest, variant.name)
        write_bundle(self.staging / found.bundle, manifest, file.path, content)
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


def _with_feature_map(output: OutputSpec, model: FileModel) -> OutputSpec:
    shape = model.feature_map_shape
    return output if shape is None else replace(output, feature_map=FeatureMap(*shape[1:]))


def _made_with(variant: Variant, plan: ExportPlan, selection: CalibrationSelection) -> dict[str, str]:
    """Return the provenance of one variant: the trained model, converter, quantiser and calibration images."""
    made = {"source_sha256": plan.model_sha256}
    if variant.format == "onnx":
        made["tf2onnx"] = version("tf2onnx")
    if variant.needs_calibration:
        made["calibration_count"] = str(len(selection.pictures))
        made["calibration_sha256"] = hashlib.sha256(selection.pictures.to_csv()).hexdigest()
    if variant.format == "onnx" and variant.scheme == "int8":
        made["quantizer"] = f"onnxruntime {version('onnxruntime')}"
    elif plan.kept is not None and variant.name == "int8":
        made["frozen_part_of"], made["frozen_part_sha256"] = plan.kept.name, plan.kept.model_sha256
    elif not variant.is_float:
        chosen = "litert" if variant == MIXED_INT8 else plan.quantizer or QUANTIZER_OF[variant.scheme]
        made["quantizer"] = f"{_PACKAGES[chosen]} {version(_PACKAGES[chosen])}"
    return made
