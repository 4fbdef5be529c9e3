"""The variants of an export: a file format and a number scheme each."""

from collections.abc import Sequence
from dataclasses import dataclass

from trailcam_core.errors import ExportError
from trailcam_core.spec import FORMAT_SCHEMES

FIX_NEEDS = ("float32", "int8")  # names of the variants that ``--fix`` works on
_CALIBRATED = ("int8", "mixed_int8", "int16x8")
_FLOAT = ("float32", "float16")


@dataclass(frozen=True)
class Variant:
    """One file of an export; ``name`` is also the name of its bundle: ``int8``, ``onnx-int8``."""

    format: str
    scheme: str

    @property
    def name(self) -> str:
        """The scheme, with the prefix ``onnx-`` for the format ONNX."""
        return self.scheme if self.format == "tflite" else f"{self.format}-{self.scheme}"

    @property
    def is_float(self) -> bool:
        """Whether every logit must equal the trained model's within a tolerance."""
        return self.scheme in _FLOAT

    @property
    def needs_calibration(self) -> bool:
        """Whether calibration images set the ranges of its activations."""
        return self.scheme in _CALIBRATED


MIXED_INT8 = Variant("tflite", "mixed_int8")  # made by ``--fix`` alone, if int8 drifts too far
ALL_VARIANTS = tuple(
    variant
    for kind, schemes in FORMAT_SCHEMES.items()
    for variant in (Variant(kind, scheme) for scheme in schemes)
    if variant != MIXED_INT8
)
DEFAULT_VARIANTS = (Variant("tflite", "float32"), Variant("tflite", "int8"))


def parse_variants(names: Sequence[str]) -> tuple[Variant, ...]:
    """Return the variants of these names, each once, in the order of ``ALL_VARIANTS``; ``all`` means all of them.

    Raises:
        ExportError: an unknown name, or none.
    """
    known = {variant.name: variant for variant in ALL_VARIANTS}
    wanted = {name.strip() for name in names if name.strip()}
    unknown = sorted(wanted - set(known) - {"all"})
    if unknown or not wanted:
        what = f"no variant {unknown[0]!r}" if unknown else "no variant named"
        raise ExportError(f"{what}; there are: {', '.join(known)}, and all for all of them.")
    return tuple(variant for variant in ALL_VARIANTS if "all" in wanted or variant.name in wanted)
