"""What the drift gate asks for: bars by name, from a preset or from a TOML file of one's own."""

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from trailcam_core.errors import ExportError

__all__ = ["DEFAULT_PRESET", "PRESETS", "Preset", "find_preset", "read_preset"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # what a manifest can hold
_RANGES: dict[str, tuple[float, float]] = {
    "min_top1_retention": (0.0, 1.0),
    "min_top1_delta": (-1.0, 0.0),
    "min_agreement": (0.0, 1.0),
    "min_recall_delta": (-1.0, 0.0),
    "max_unknown_shift": (0.0, 1.0),
    "max_others_shift": (0.0, 1.0),
    "max_kl_p95": (0.0, 100.0),
    "confidence": (0.5, 0.9999),
}


@dataclass(frozen=True)
class Preset:
    """Bars; None asks for nothing.

    min_top1_retention: share of the reference's top-1 that a variant must keep.
    min_top1_delta: top-1 of the variant minus that of the reference, a share: -0.005 is half a point.
    min_agreement: share of pictures with the same answer.
    min_recall_delta: the same as ``min_top1_delta``, for the recall of every single label.
    max_unknown_shift: how far the share of "unknown" may move on test pictures, either way.
    max_others_shift: the same on pictures of none of the labels, where there are any.
    max_kl_p95: nats that 95 % of the pictures must stay within. It catches numbers that are wrong while the order of
        the answers is right. Measured on EfficientNet-Lite0, ten labels, 2,012 pictures: int8 moves 95 % of them by at
        most 0.011 and none by more than 0.3; a second softmax would move each sure one by 1.4.
    confidence: of the two-sided intervals that decide.
    """

    name: str
    min_top1_retention: float | None = None
    min_top1_delta: float | None = None
    min_agreement: float | None = None
    min_recall_delta: float | None = None
    max_unknown_shift: float | None = None
    max_others_shift: float | None = None
    max_kl_p95: float | None = 0.5
    confidence: float = 0.95


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
    raise ExportError(f"No gate {choice!r}: expected {', '.join(PRESETS)}, or a .toml file of your own bars.")


def read_preset(path: Path) -> Preset:
    """Read bars from a TOML file: keys as in ``Preset``; ``name`` is the file's own name where it is not given.

    Raises:
        ExportError: unreadable, an unknown key, a value out of its range, or no bar at all.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ExportError(f"{path}: cannot be read as a gate ({error}). docs/drift.md has an example.") from error
    valid = [field.name for field in fields(Preset)]
    unknown = [key for key in table if key not in valid]
    if unknown:
        raise ExportError(f"{path}: unknown key {unknown[0]!r}, expected some of {', '.join(valid)}.")
    name = table.pop("name", path.stem.lower())
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in PRESETS:
        raise ExportError(
            f"{path}: name is {name!r}, expected 1 to 64 of a-z 0-9 . _ - and none of {', '.join(PRESETS)}. "
            'Add a line such as name = "ours".'
        )
    values = {key: _read_number(path, key, value) for key, value in table.items()}
    if not set(values) - {"confidence"}:
        raise ExportError(f"{path}: names no bar, so everything would pass. Add some of {', '.join(_RANGES)}.")
    return Preset(name=name, **values)


def _read_number(path: Path, key: str, value: Any) -> float:
    low, high = _RANGES[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ExportError(
            f"{path}: {key} is {value!r}, expected a number of {low:g} to {high:g}, a share and not points."
        )
    return float(value)
