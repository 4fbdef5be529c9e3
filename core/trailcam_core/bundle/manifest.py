"""The manifest: what a bundle says about itself, as frozen dataclasses with a strict reader and a canonical writer.

``docs/bundle-format.md`` is the specification; this module is its one implementation. Writers import the reader's
definition, so a bundle that can be written can be read.
"""

from dataclasses import asdict
from typing import Any

from trailcam_core.errors import BundleError
from trailcam_core.labels import MAX_LABEL_CHARACTERS, MAX_LABELS
from trailcam_core.spec import (
    FITS,
    FORMAT_RUNTIMES,
    FORMAT_SCHEMES,
    FORMATS,
    MAX_INPUT_PX,
    MIN_INPUT_PX,
    REJECT_SCORES,
    RESIZE_RULE,
    SCHEMA_VERSION,
    VERDICTS,
    Drift,
    Gate,
    GoldenEntry,
    InputSpec,
    Manifest,
    Metrics,
    ModelEntry,
    OutputSpec,
    RejectRule,
)
from trailcam_core.strict_json import JsonObject, canonical_json, parse_object

__all__ = ["MAX_MANIFEST_BYTES", "manifest_to_bytes", "parse_manifest"]

MAX_MANIFEST_BYTES = 8_000_000  # 100,000 labels with room to spare; a ten-class manifest has 3,000

MAX_MODEL_BYTES = 2_000_000_000
MAX_GOLDEN_BYTES = 64_000_000

_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
_VERSION = r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}([.+-][0-9A-Za-z.+-]{1,40})?"
_FILE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_SHA256 = r"[0-9a-f]{64}"
_PRESET = r"[a-z0-9][a-z0-9._-]{0,63}"
_RUNTIME_VERSION = r"[0-9]{1,4}(\.[0-9]{1,4}){0,2}"
_HUGE = 1e9


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
