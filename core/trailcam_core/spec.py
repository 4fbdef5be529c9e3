"""The records of a bundle: its files, input, output, accuracy and drift, as frozen dataclasses.

``docs/bundle-format.md`` is the specification; ``trailcam_core.bundle.manifest`` reads and writes them.
"""

from dataclasses import dataclass, field
from typing import Annotated

from trailcam_core.records import Choice, Key, Pattern, Range

SCHEMA_VERSION = 1  # of a bundle without the keys of a later one, so that older devices read it
SCHEMA_VERSIONS = (1, 2)
SCHEMES = ("float32", "float16", "dynamic_int8", "int8", "mixed_int8", "int16x8")
FORMATS = ("tflite", "onnx")
FORMAT_SCHEMES = {"tflite": SCHEMES, "onnx": ("float32", "float16", "int8")}
FORMAT_RUNTIMES = {"tflite": ("litert", "tflite_runtime"), "onnx": ("onnxruntime",)}
VERDICTS = ("pass", "fail", "inconclusive")
FITS = ("crop", "letterbox", "stretch")
RESIZE_RULE = "halve_then_bilinear"
REJECT_SCORES = ("max_logit", "energy", "max_probability")
MIN_INPUT_PX, MAX_INPUT_PX = 32, 1024
MAX_MAP_SIDE = 256
VERSION_PATTERN = r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}([.+-][0-9A-Za-z.+-]{1,40})?"

_NAME = Pattern(r"[a-z0-9][a-z0-9._-]{0,63}", "1 to 64 of a-z 0-9 . _ -")
_RUNTIME_VERSION = Pattern(r"[0-9]{1,4}(\.[0-9]{1,4}){0,2}", "a version such as 2.14, or null")
_TITLE = Pattern(r"[ -~]{1,80}", "1 to 80 printable ASCII characters")
_Fraction = Annotated[float, Range(0.0, 1.0)]


_AtLeastZero = Annotated[float, Range(0.0, 1e12)]


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle: plain name, digest and size."""

    file: Annotated[str, Pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a plain file name without a folder")]
    sha256: Annotated[str, Pattern(r"[0-9a-f]{64}", "64 hexadecimal digits")]
    size_bytes: Annotated[int, Range(1, 2_000_000_000)]


@dataclass(frozen=True)
class ModelEntry(FileEntry):
    """The model file. ``format`` is its file format, ``scheme`` its number scheme.

    ``runtime_min`` is the oldest version of each runtime of the format that can run the file, null for a runtime that
    cannot; None if the manifest has no such key.
    """

    format: Annotated[str, Choice(*FORMATS)]
    scheme: Annotated[str, Choice(*SCHEMES)]
    runtime_min: dict[str, Annotated[str, _RUNTIME_VERSION] | None] | None = None


@dataclass(frozen=True)
class GoldenEntry(FileEntry):
    """The golden vectors. ``tolerance`` is the largest difference of a logit that is still the same answer."""

    tolerance: Annotated[float, Range(0.0, 1_000.0)]


@dataclass(frozen=True)
class InputSpec:
    """The input of the model: raw ``uint8`` RGB of shape (1, height, width, 3), made from an image by one resize rule.

    ``fit`` handles another aspect ratio: ``crop`` keeps the centre, ``letterbox`` pads with grey, ``stretch``
    changes the aspect ratio.
    """

    height: Annotated[int, Range(MIN_INPUT_PX, MAX_INPUT_PX)]
    width: Annotated[int, Range(MIN_INPUT_PX, MAX_INPUT_PX)]
    fit: Annotated[str, Choice(*FITS)]
    colour: Annotated[str, Choice("RGB")] = "RGB"
    layout: Annotated[str, Choice("NHWC")] = "NHWC"
    dtype: Annotated[str, Choice("uint8")] = "uint8"
    resize: Annotated[str, Choice(RESIZE_RULE)] = RESIZE_RULE


@dataclass(frozen=True)
class RejectRule:
    """Answer "unknown" when ``score`` of the logits is below ``threshold``.

    ``known_accept_rate`` is the fraction of pictures of known labels that keep their answer, ``ood_reject_rate`` the
    fraction of out-of-distribution pictures that are rejected (None if there were none). They are measured on
    ``n_known`` and ``n_ood`` pictures that did not set the threshold.
    """

    score: Annotated[str, Choice(*REJECT_SCORES)]
    threshold: Annotated[float, Range(-1e9, 1e9)]
    known_accept_rate: Annotated[float, Range(0.0, 1.0), Key("animals_kept")]
    n_known: Annotated[int, Range(0, 1_000_000_000), Key("n_animals")]
    ood_reject_rate: Annotated[float | None, Range(0.0, 1.0), Key("others_rejected")]
    n_ood: Annotated[int, Range(0, 1_000_000_000), Key("n_others")]


@dataclass(frozen=True)
class FeatureMap:
    """The size of the second output: (1, ``height``, ``width``, ``channels``), the last feature map of the network."""

    height: Annotated[int, Range(1, MAX_MAP_SIDE)]
    width: Annotated[int, Range(1, MAX_MAP_SIDE)]
    channels: Annotated[int, Range(1, 65_536)]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the tensor."""
        return 1, self.height, self.width, self.channels


@dataclass(frozen=True)
class OutputSpec:
    """The output of the model: logits (1, K) in the order of ``labels``; softmax(logits / temperature) follows.

    ``blank_labels`` are those that mean "nothing there", ``unknown_labels`` those that mean "an animal, but none of the
    others"; neither is ever an answer. ``feature_map`` is the second output of the model, which a second look needs;
    None where it has none. All three need schema version 2.
    """

    labels: tuple[str, ...]
    temperature: Annotated[float, Range(0.01, 100.0)]
    reject: RejectRule | None
    kind: Annotated[str, Choice("logits")] = "logits"
    blank_labels: tuple[str, ...] = ()
    unknown_labels: tuple[str, ...] = ()
    feature_map: FeatureMap | None = None

    @property
    def known_ids(self) -> tuple[int, ...]:
        """Positions of the labels that can be an answer, in order."""
        silent = {*self.blank_labels, *self.unknown_labels}
        return tuple(number for number, label in enumerate(self.labels) if label not in silent)


@dataclass(frozen=True)
class Metrics:
    """The accuracy of this model file on the n pictures of the test split: fractions in 0..1, with a 95 % interval."""

    n: Annotated[int, Range(1, 1_000_000_000)]
    top1: _Fraction
    top1_low: _Fraction
    top1_high: _Fraction
    recall: tuple[_Fraction, ...]


@dataclass(frozen=True)
class Gate:
    """The drift gate for this model file: the ``preset`` of limits and its ``verdict``."""

    preset: Annotated[str, _NAME]
    verdict: Annotated[str, Choice(*VERDICTS)]


@dataclass(frozen=True)
class Drift:
    """This model file compared with the float model it was made from, on the same n pictures.

    A bundle without a gate, or with the verdict ``fail``, is not fit to ship.
    """

    n: Annotated[int, Range(1, 1_000_000_000)]
    top1_delta: Annotated[float, Range(-1.0, 1.0)]
    top1_agreement: _Fraction
    gate: Gate | None = None


@dataclass(frozen=True)
class Rate:
    """``value`` is a sum over a sum, ``n`` the latter; the interval of 95 % resamples clusters.

    All three are None where ``n`` is 0; bounds are None with a single cluster.
    """

    value: _AtLeastZero | None
    low: _AtLeastZero | None
    high: _AtLeastZero | None
    n: _AtLeastZero


@dataclass(frozen=True)
class FieldRow:
    """One kind of test of a camera: ``right`` and ``wrong`` of ``n`` clips or pictures.

    ``groups`` counts the scenes, kinds or places that the intervals resample. ``right`` is None where no label is
    right: empties and other animals.
    """

    name: Annotated[str, _TITLE]
    unit: Annotated[str, Choice("clips", "pictures")]
    n: Annotated[int, Range(1, 1_000_000_000)]
    groups: Annotated[int, Range(1, 1_000_000_000)]
    right: Rate | None
    wrong: Rate


@dataclass(frozen=True)
class FieldFigures:
    """Figures of device crops, generated clips, other animals and empties; ``docs/field.md`` has the method."""

    rows: tuple[FieldRow, ...]
    false_visits_per_hour: Rate | None = None


@dataclass(frozen=True)
class Manifest:
    """Everything that a device needs to run a bundle and that an operator needs to trust it."""

    name: Annotated[str, _NAME]
    version: Annotated[str, Pattern(VERSION_PATTERN, "a version such as 1.0.0")]
    model: ModelEntry
    golden: GoldenEntry
    input: InputSpec
    output: OutputSpec
    metrics: Metrics | None
    drift: Drift | None
    provenance: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    field_figures: Annotated[FieldFigures | None, Key("field")] = None


def schema_version_of(output: OutputSpec, field_figures: FieldFigures | None = None) -> int:
    """Return the oldest schema version that can hold a bundle with this output and these figures."""
    is_new = output.blank_labels or output.unknown_labels or output.feature_map is not None
    return 2 if is_new or field_figures is not None else 1
