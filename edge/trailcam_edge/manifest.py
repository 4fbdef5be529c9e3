"""The manifest: what a bundle says about itself, as frozen dataclasses with a strict reader and a canonical writer.

``docs/bundle-format.md`` is the specification; this module is its one implementation. Writers import the reader's
definition, so a bundle that can be written can be read.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from trailcam_edge.errors import BundleError
from trailcam_edge.labels import MAX_LABEL_CHARACTERS, MAX_LABELS
from trailcam_edge.strict_json import JsonObject, canonical_json, parse_object

__all__ = [
    "FITS",
    "FORMATS",
    "FORMAT_RUNTIMES",
    "FORMAT_SCHEMES",
    "MAX_INPUT_PX",
    "MAX_MANIFEST_BYTES",
    "MIN_INPUT_PX",
    "REJECT_SCORES",
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
    "manifest_to_bytes",
    "parse_manifest",
]

SCHEMA_VERSION = 1
MAX_MANIFEST_BYTES = 8_000_000  # 100,000 labels with room to spare; a ten-class manifest has 3,000
SCHEMES = ("float32", "float16", "dynamic_int8", "int8", "mixed_int8", "int16x8")
FORMATS = ("tflite", "onnx")
FORMAT_SCHEMES = {"tflite": SCHEMES, "onnx": ("float32", "float16", "int8")}
FORMAT_RUNTIMES = {"tflite": ("litert", "tflite_runtime"), "onnx": ("onnxruntime",)}
VERDICTS = ("pass", "fail", "inconclusive")
FITS = ("crop", "letterbox", "stretch")
RESIZE_RULE = "halve_then_bilinear"
REJECT_SCORES = ("max_logit", "energy", "max_probability")

MIN_INPUT_PX, MAX_INPUT_PX = 32, 1024
MAX_MODEL_BYTES = 2_000_000_000
MAX_GOLDEN_BYTES = 64_000_000

_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
_VERSION = r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}([.+-][0-9A-Za-z.+-]{1,40})?"
_FILE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_SHA256 = r"[0-9a-f]{64}"
_PRESET = r"[a-z0-9][a-z0-9._-]{0,63}"
_RUNTIME_VERSION = r"[0-9]{1,4}(\.[0-9]{1,4}){0,2}"
_HUGE = 1e9


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


def manifest_to_bytes(manifest: Manifest) -> bytes:
    """Return the canonical bytes of ``manifest``, after reading them back as a device would.

    Raises:
        BundleError: the manifest breaks its own rules; nothing that cannot be read is written.
    """
    try:
        content = canonical_json(_to_fields(manifest))
    except ValueError as error:
        raise BundleError(f"manifest: holds a number or text that JSON cannot: {error}.") from error
    readable = _read_manifest(content, "manifest")  # whole numbers become floats where due
    return canonical_json(_to_fields(readable))


def parse_manifest(content: bytes, source: str = "manifest.json") -> Manifest:
    """Check and read the bytes of a manifest.

    Args:
        content: the whole file.
        source: what messages call it.

    Raises:
        BundleError: not canonical JSON, unknown schema or key, or a field out of its range. The message names it.
    """
    manifest = _read_manifest(content, source)
    if canonical_json(_to_fields(manifest)) != content:
        raise BundleError(
            f"{source}: not in canonical form (keys sorted, no white space, one newline at the end). "
            "It was edited by hand or written by another tool: export the bundle again."
        )
    return manifest


def _to_fields(manifest: Manifest) -> dict[str, Any]:
    """Return the fields as they stand in the file: an optional key that says nothing is left out, never null."""
    fields = asdict(manifest)
    for part, key in (("model", "runtime_min"), ("drift", "gate")):
        if fields[part] is not None and fields[part][key] is None:
            del fields[part][key]
    return fields


def _read_manifest(content: bytes, source: str) -> Manifest:
    top = parse_object(content, source, MAX_MANIFEST_BYTES)
    found = top.integer("schema_version", 0, 1_000_000)
    if found != SCHEMA_VERSION:
        raise BundleError(
            f"{source}: schema_version is {found}, this Trailcam reads {SCHEMA_VERSION}. "
            + ("Update Trailcam on this machine." if found > SCHEMA_VERSION else "Export the bundle again.")
        )
    output = _read_output(top.child("output"))
    manifest = Manifest(
        name=top.text("name", _NAME, "1 to 64 of a-z 0-9 . _ -"),
        version=top.text("version", _VERSION, "a version such as 1.0.0"),
        model=_read_model(top.child("model")),
        golden=_read_golden(top.child("golden")),
        input=_read_input(top.child("input")),
        output=output,
        metrics=_read_metrics(top.optional_child("metrics"), len(output.labels)),
        drift=_read_drift(top.optional_child("drift")),
        provenance=top.text_table("provenance", 100, 2_000),
    )
    top.finish()
    return manifest


def _read_file(entry: JsonObject, max_bytes: int) -> dict[str, Any]:
    return {
        "file": entry.text("file", _FILE, "a plain file name without a folder"),
        "sha256": entry.text("sha256", _SHA256, "64 hexadecimal digits"),
        "size_bytes": entry.integer("size_bytes", 1, max_bytes),
    }


def _read_model(entry: JsonObject) -> ModelEntry:
    model_format = entry.choice("format", FORMATS)
    model = ModelEntry(
        **_read_file(entry, MAX_MODEL_BYTES),
        format=model_format,
        scheme=entry.choice("scheme", FORMAT_SCHEMES[model_format]),
        runtime_min=_read_runtimes(entry.child("runtime_min"), model_format) if entry.has("runtime_min") else None,
    )
    entry.finish()
    if model.file != f"model.{model_format}":
        entry.refuse("file", model.file, f"model.{model_format}")
    return model


def _read_runtimes(entry: JsonObject, model_format: str) -> dict[str, str | None]:
    names = FORMAT_RUNTIMES[model_format]
    found = {name: entry.optional_text(name, _RUNTIME_VERSION, "a version such as 2.14, or null") for name in names}
    entry.finish()
    return found


def _read_golden(entry: JsonObject) -> GoldenEntry:
    golden = GoldenEntry(**_read_file(entry, MAX_GOLDEN_BYTES), tolerance=entry.number("tolerance", 0.0, 1_000.0))
    entry.finish()
    if golden.file != "golden.npz":
        entry.refuse("file", golden.file, "golden.npz")
    return golden


def _read_input(entry: JsonObject) -> InputSpec:
    spec = InputSpec(
        height=entry.integer("height", MIN_INPUT_PX, MAX_INPUT_PX),
        width=entry.integer("width", MIN_INPUT_PX, MAX_INPUT_PX),
        fit=entry.choice("fit", FITS),
        colour=entry.choice("colour", ("RGB",)),
        layout=entry.choice("layout", ("NHWC",)),
        dtype=entry.choice("dtype", ("uint8",)),
        resize=entry.choice("resize", (RESIZE_RULE,)),
    )
    entry.finish()
    return spec


def _read_output(entry: JsonObject) -> OutputSpec:
    output = OutputSpec(
        labels=entry.texts("labels", MAX_LABELS, MAX_LABEL_CHARACTERS),
        temperature=entry.number("temperature", 0.01, 100.0),
        reject=_read_reject(entry.optional_child("reject")),
        kind=entry.choice("kind", ("logits",)),
    )
    entry.finish()
    return output


def _read_reject(entry: JsonObject | None) -> RejectRule | None:
    if entry is None:
        return None
    others = entry.optional_number("others_rejected", 0.0, 1.0)
    rule = RejectRule(
        score=entry.choice("score", REJECT_SCORES),
        threshold=entry.number("threshold", -_HUGE, _HUGE),
        animals_kept=entry.number("animals_kept", 0.0, 1.0),
        n_animals=entry.integer("n_animals", 0, 1_000_000_000),
        others_rejected=others,
        n_others=entry.integer("n_others", 0, 1_000_000_000),
    )
    entry.finish()
    return rule


def _read_metrics(entry: JsonObject | None, label_count: int) -> Metrics | None:
    if entry is None:
        return None
    metrics = Metrics(
        n=entry.integer("n", 1, 1_000_000_000),
        top1=entry.number("top1", 0.0, 1.0),
        top1_low=entry.number("top1_low", 0.0, 1.0),
        top1_high=entry.number("top1_high", 0.0, 1.0),
        recall=entry.numbers("recall", label_count, 0.0, 1.0),
    )
    entry.finish()
    if not metrics.top1_low <= metrics.top1 <= metrics.top1_high:
        entry.refuse("top1", metrics.top1, f"{metrics.top1_low:g} to {metrics.top1_high:g}, its own interval")
    return metrics


def _read_drift(entry: JsonObject | None) -> Drift | None:
    if entry is None:
        return None
    drift = Drift(
        n=entry.integer("n", 1, 1_000_000_000),
        top1_delta=entry.number("top1_delta", -1.0, 1.0),
        top1_agreement=entry.number("top1_agreement", 0.0, 1.0),
        gate=_read_gate(entry.child("gate")) if entry.has("gate") else None,
    )
    entry.finish()
    return drift


def _read_gate(entry: JsonObject) -> Gate:
    gate = Gate(
        preset=entry.text("preset", _PRESET, "1 to 64 of a-z 0-9 . _ -"), verdict=entry.choice("verdict", VERDICTS)
    )
    entry.finish()
    return gate
