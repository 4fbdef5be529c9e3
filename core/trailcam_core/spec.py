"""The records of a bundle: its files, input, output, accuracy and drift, as frozen dataclasses.

``docs/bundle-format.md`` is the specification; ``trailcam_core.bundle.manifest`` reads and writes them.
"""

from dataclasses import dataclass, field

__all__ = [
    "FITS",
    "FORMATS",
    "FORMAT_RUNTIMES",
    "FORMAT_SCHEMES",
    "MAX_INPUT_PX",
    "MIN_INPUT_PX",
    "REJECT_SCORES",
    "RESIZE_RULE",
    "SCHEMA_VERSION",
    "SCHEMES",
    "VERDICTS",
    "Drift",
    "FileEntry",
    "Gate",
    "GoldenEntry",
    "InputSpec",
    "Manifest",
    "Metrics",
    "ModelEntry",
    "OutputSpec",
    "RejectRule",
]

SCHEMA_VERSION = 1
SCHEMES = ("float32", "float16", "dynamic_int8", "int8", "mixed_int8", "int16x8")
FORMATS = ("tflite", "onnx")
FORMAT_SCHEMES = {"tflite": SCHEMES, "onnx": ("float32", "float16", "int8")}
FORMAT_RUNTIMES = {"tflite": ("litert", "tflite_runtime"), "onnx": ("onnxruntime",)}
VERDICTS = ("pass", "fail", "inconclusive")
FITS = ("crop", "letterbox", "stretch")
RESIZE_RULE = "halve_then_bilinear"
REJECT_SCORES = ("max_logit", "energy", "max_probability")
MIN_INPUT_PX, MAX_INPUT_PX = 32, 1024


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle: its plain name, and what its bytes must be."""

    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class ModelEntry(FileEntry):
    """The model file. ``format`` is its file format, ``scheme`` its number scheme.

    ``runtime_min`` is the oldest version of each runtime of the format that can run the file, null for a runtime that
    cannot; None where the bundle does not say.
    """

    format: str
    scheme: str
    runtime_min: dict[str, str | None] | None = None


@dataclass(frozen=True)
class GoldenEntry(FileEntry):
    """The golden vectors. ``tolerance`` is the largest difference of a logit that is still the same answer."""

    tolerance: float


@dataclass(frozen=True)
class InputSpec:
    """What the model takes: raw ``uint8`` RGB of shape (1, height, width, 3), made from an image by one resize rule.

    ``fit`` says what happens to another aspect: ``crop`` keeps the centre, ``letterbox`` pads with grey, ``stretch``
    changes the aspect.
    """

    height: int
    width: int
    fit: str
    colour: str = "RGB"
    layout: str = "NHWC"
    dtype: str = "uint8"
    resize: str = RESIZE_RULE


@dataclass(frozen=True)
class RejectRule:
    """Answer "unknown" when ``score`` of the logits is below ``threshold``.

    ``animals_kept`` is the share of pictures of known labels that keep their answer, and ``others_rejected`` the share
    of other pictures that are turned away (null where none were at hand), both measured with ``n_animals`` and
    ``n_others`` pictures that did not set the threshold.
    """

    score: str
    threshold: float
    animals_kept: float
    n_animals: int
    others_rejected: float | None
    n_others: int


@dataclass(frozen=True)
class OutputSpec:
    """What the model gives: logits (1, K) in the order of ``labels``; probabilities: softmax(logits / temperature)."""

    labels: tuple[str, ...]
    temperature: float
    reject: RejectRule | None
    kind: str = "logits"


@dataclass(frozen=True)
class Metrics:
    """What this very model file scored on the test split: shares in 0..1 with 95 % intervals, and n pictures."""

    n: int
    top1: float
    top1_low: float
    top1_high: float
    recall: tuple[float, ...]


@dataclass(frozen=True)
class Gate:
    """What the drift gate says of this model file: the ``preset`` of limits and the ``verdict`` it came to."""

    preset: str
    verdict: str


@dataclass(frozen=True)
class Drift:
    """This model file against the float model it was made from, on the same n pictures; None where nothing judged it.

    A bundle without a gate, or one whose verdict is ``fail``, was not found fit to ship.
    """

    n: int
    top1_delta: float
    top1_agreement: float
    gate: Gate | None = None


@dataclass(frozen=True)
class Manifest:
    """Everything a device must know to use a bundle, and everything a person must know to trust it."""

    name: str
    version: str
    model: ModelEntry
    golden: GoldenEntry
    input: InputSpec
    output: OutputSpec
    metrics: Metrics | None
    drift: Drift | None
    provenance: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
