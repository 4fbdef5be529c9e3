"""The findings of the drift gate about an export, for all its reports."""

from dataclasses import dataclass
from pathlib import Path

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.spec import FieldFigures
from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.gate import GateResult
from trailcam_export.gate.presets import Preset
from trailcam_export.gate.statistics import ClassIds, DriftStatistics, ModelOutputs
from trailcam_export.mixed_int8.search import Fix


@dataclass(frozen=True)
class FixFindings:
    """The search of ``--fix`` for the variant ``of``, and the median latency of some files in ms, on one thread."""

    of: str
    fix: Fix
    latency_ms: dict[str, float]


@dataclass(frozen=True, eq=False)
class VariantFindings:
    """One bundle: its name, its outputs on the test images, the drift and the verdict.

    ``crops`` is the drift on the device crops among the images, ``field_figures`` what the manifest states of them;
    both are None for a run without negatives.
    """

    name: str
    bundle: str
    size_bytes: int
    answers: ModelOutputs
    drift: DriftStatistics
    gate: GateResult
    crops: DriftStatistics | None = None
    field_figures: FieldFigures | None = None


@dataclass(frozen=True, eq=False)
class Findings:
    """All variants of an export against the trained model.

    ``rows`` are the test pictures below ``data``, ``class_ids`` their true classes; all answers are in that order.
    ``fixed`` names the variant that replaces a failed one, if ``--fix`` found it. ``reference_warning`` describes a
    probable fault of the trained model itself.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    preset: Preset
    data: Path
    rows: tuple[SplitRow, ...]
    class_ids: ClassIds
    reference: ModelOutputs
    variants: tuple[VariantFindings, ...]
    fix: FixFindings | None = None
    fixed: str | None = None
    reference_warning: str | None = None

    def passed(self, inconclusive_fails: bool = False) -> bool:
        """Return whether every variant may ship; one that a fixed variant replaces does not count."""
        bad = {Verdict.FAIL, Verdict.INCONCLUSIVE} if inconclusive_fails else {Verdict.FAIL}
        replaced = self.fix.of if self.fix is not None and self.fixed is not None else None
        return all(variant.gate.verdict not in bad for variant in self.variants if variant.name != replaced)
