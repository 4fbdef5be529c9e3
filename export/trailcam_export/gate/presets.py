"""Presets of the drift gate: criteria by name, or from a TOML file."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from trailcam_core.errors import ExportError
from trailcam_core.records import Pattern, Range, read_toml

_Fraction = Annotated[float, Range(0.0, 1.0)]
_Fall = Annotated[float, Range(-1.0, 0.0)]


@dataclass(frozen=True)
class Preset:
    """Bounds of the criteria; None turns a criterion off. Fractions, not percentage points.

    min_top1_retention: fraction of the reference's top-1 that a variant must keep.
    min_top1_delta: top-1 of the variant minus that of the reference: -0.005 is half a point.
    min_agreement: fraction of pictures with the same answer.
    min_recall_delta: as ``min_top1_delta``, for the recall of every label.
    max_unknown_shift: largest shift of the rejected fraction of test pictures, in either direction.
    max_others_shift: the same on out-of-distribution images, if there are any.
    max_kl_p95: bound in nats for 95 % of the pictures. It detects wrong numbers that keep the order of the answers.
        Measured on EfficientNet-Lite0, ten labels, 2,012 pictures: int8 moves 95 % of them by at most 0.011 and none by
        more than 0.3; a second softmax would move each confident one by 1.4.
    confidence: of the two-sided intervals that decide.
    """

    name: Annotated[str, Pattern(r"[a-z0-9][a-z0-9._-]{0,63}", "1 to 64 of a-z 0-9 . _ -")]
    min_top1_retention: _Fraction | None = None
    min_top1_delta: _Fall | None = None
    min_agreement: _Fraction | None = None
    min_recall_delta: _Fall | None = None
    max_unknown_shift: _Fraction | None = None
    max_others_shift: _Fraction | None = None
    max_kl_p95: Annotated[float, Range(0.0, 100.0)] | None = 0.5
    confidence: Annotated[float, Range(0.5, 0.9999)] = 0.95


# Source of the first: MLPerf Inference rules, "quality target" of image classification in the closed division, 99 % of
# the FP32 reference's top-1; of the second: MLPerf Mobile, 98 %. The third is ours, see docs/adr/0007-drift-gate.md.
PRESETS = {
    preset.name: preset
    for preset in (
        Preset("mlperf-99", min_top1_retention=0.99),
        Preset("mlperf-98", min_top1_retention=0.98),
        Preset(
            "strict",
            min_top1_delta=-0.005,
            min_agreement=0.985,
            min_recall_delta=-0.05,
            max_unknown_shift=0.02,
            max_others_shift=0.05,
        ),
    )
}
DEFAULT_PRESET = "mlperf-99"


def find_preset(choice: str) -> Preset:
    """Return a preset by its name, or read it from a ``.toml`` file.

    Raises:
        ExportError: neither, or the file cannot be used.
    """
    if choice in PRESETS:
        return PRESETS[choice]
    if choice.endswith(".toml"):
        return read_preset(Path(choice))
    raise ExportError(f"No gate {choice!r}: expected {', '.join(PRESETS)}, or a .toml file of your own criteria.")


def read_preset(path: Path) -> Preset:
    """Read a preset from a TOML file: keys as in ``Preset``; ``name`` is by default the name of the file.

    Raises:
        ExportError: unreadable, an unknown key, a value out of range, or no criterion.
    """
    table, document = read_toml(path, ExportError)
    preset = document.decode(Preset, {"name": path.stem.lower(), **table})
    if preset.name in PRESETS:
        document.refuse_value(("name",), preset.name, f"another name than {', '.join(PRESETS)}")
    if not table.keys() - {"name", "confidence"}:
        bounds = [field.name for field in fields(Preset) if field.name not in ("name", "confidence")]
        raise document.refuse((), f"names no criterion, so every file would pass. Add some of {', '.join(bounds)}")
    return preset
