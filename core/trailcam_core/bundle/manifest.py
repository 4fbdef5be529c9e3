"""The manifest of a bundle: strict reader and canonical writer.

``docs/bundle-format.md`` is the specification; this module is its only implementation. The writer reads its own
bytes back, so a bundle that can be written can be read.
"""

from typing import Any

from trailcam_core.bundle.labels import MAX_LABEL_CHARACTERS, MAX_LABELS, is_printable
from trailcam_core.errors import BundleError
from trailcam_core.records import Choice, Document, Range, canonical_json, encode, parse_json, shown
from trailcam_core.spec import (
    FORMAT_RUNTIMES,
    FORMAT_SCHEMES,
    SCHEMA_VERSIONS,
    Manifest,
    OutputSpec,
    schema_version_of,
)

MAX_MANIFEST_BYTES = 8_000_000  # 100,000 labels with room to spare; a ten-class manifest has 3,000

MAX_GOLDEN_BYTES = 64_000_000
_MAX_PROVENANCE = 100
_MAX_FIELD_ROWS = 100
_MAX_TEXT_CHARACTERS = 2_000


def manifest_to_bytes(manifest: Manifest) -> bytes:
    """Return the canonical bytes of ``manifest``, after reading them back as a device would.

    Raises:
        BundleError: the manifest breaks its own rules; nothing that cannot be read is written.
    """
    try:
        content = canonical_json(_to_fields(manifest))
    except ValueError as error:
        raise BundleError(f"manifest: holds a number or text that JSON cannot hold: {error}.") from error
    readable = _read_manifest(content, "manifest")  # whole numbers become floats where due
    return canonical_json(_to_fields(readable))


def parse_manifest(content: bytes, source: str = "manifest.json") -> Manifest:
    """Check and read the bytes of a manifest.

    Args:
        content: the whole file.
        source: the name of the file in messages.

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
    """Return the fields as the file has them: an optional key without a value is left out, never null."""
    fields = encode(manifest)
    for part, key in (("model", "runtime_min"), ("drift", "gate")):
        if fields[part] is not None and fields[part][key] is None:
            del fields[part][key]
    for key in ("blank_labels", "unknown_labels", "feature_map"):
        if not fields["output"][key]:
            del fields["output"][key]
    if fields["field"] is None:
        del fields["field"]
    return fields


def _read_manifest(content: bytes, source: str) -> Manifest:
    table, document = parse_json(content, source, BundleError, MAX_MANIFEST_BYTES)
    found = table.get("schema_version")
    if found not in SCHEMA_VERSIONS or isinstance(found, bool):
        newer = isinstance(found, int) and found > max(SCHEMA_VERSIONS)
        raise document.refuse(
            ("schema_version",),
            f"schema_version is {shown(found)}, this Trailcam reads {SCHEMA_VERSIONS[0]} to {SCHEMA_VERSIONS[-1]}. "
            + ("Update Trailcam on this machine" if newer else "Export the bundle again"),
        )
    manifest = document.decode(Manifest, table)
    _check_files(document, manifest)
    _check_labels(document, manifest.output.labels)
    _check_silent_labels(document, manifest.output)
    _check_schema(document, manifest)
    _check_figures(document, manifest)
    _check_provenance(document, manifest.provenance)
    return manifest


def _check_files(document: Document, manifest: Manifest) -> None:
    model, golden = manifest.model, manifest.golden
    if model.scheme not in FORMAT_SCHEMES[model.format]:
        document.refuse_value(("model", "scheme"), model.scheme, Choice(*FORMAT_SCHEMES[model.format]))
    if model.file != f"model.{model.format}":
        document.refuse_value(("model", "file"), model.file, f"model.{model.format}")
    found, runtimes = model.runtime_min, FORMAT_RUNTIMES[model.format]
    if found is not None and tuple(sorted(found)) != tuple(sorted(runtimes)):
        expected = f"{' and '.join(runtimes)}, each with a version or null"
        document.refuse_value(("model", "runtime_min"), ", ".join(sorted(found)), expected)
    if golden.file != "golden.npz":
        document.refuse_value(("golden", "file"), golden.file, "golden.npz")
    if golden.size_bytes > MAX_GOLDEN_BYTES:
        document.refuse_value(("golden", "size_bytes"), golden.size_bytes, Range(1, MAX_GOLDEN_BYTES))


def _check_labels(document: Document, labels: tuple[str, ...]) -> None:
    if not 1 <= len(labels) <= MAX_LABELS:
        document.refuse_value(("output", "labels"), list(labels), f"a list of 1 to {MAX_LABELS:,} different names")
    seen: set[str] = set()
    for position, label in enumerate(labels):
        path = ("output", f"labels[{position}]")
        if not 1 <= len(label) <= MAX_LABEL_CHARACTERS or not is_printable(label):
            document.refuse_value(path, label, f"a printable name of 1 to {MAX_LABEL_CHARACTERS} characters")
        if label != label.strip():
            document.refuse_value(path, label, "a name without spaces around it")
        if label in seen:
            document.refuse_value(path, label, "a name that is not in the list before")
        seen.add(label)


def _check_silent_labels(document: Document, output: OutputSpec) -> None:
    """Refuse labels of nothing and of the unknown that are not labels, are both, or leave no answer."""
    seen: set[str] = set()
    for key in ("blank_labels", "unknown_labels"):
        for position, label in enumerate(getattr(output, key)):
            path = ("output", f"{key}[{position}]")
            if label not in output.labels:
                document.refuse_value(path, label, "one of output.labels")
            if label in seen:
                document.refuse_value(path, label, "a name that is in blank_labels or unknown_labels once")
            seen.add(label)
    if seen and not output.known_ids:
        document.refuse_value(("output", "labels"), list(output.labels), "at least one label that can be an answer")


def _check_schema(document: Document, manifest: Manifest) -> None:
    needed = schema_version_of(manifest.output, manifest.field_figures)
    if manifest.schema_version != needed:
        keys = "with" if needed > 1 else "without"
        expected = f"{needed}, {keys} output.blank_labels, output.unknown_labels, output.feature_map or field"
        document.refuse_value(("schema_version",), manifest.schema_version, expected)


def _check_figures(document: Document, manifest: Manifest) -> None:
    if manifest.field_figures is not None and not 1 <= len(manifest.field_figures.rows) <= _MAX_FIELD_ROWS:
        document.refuse_value(("field", "rows"), len(manifest.field_figures.rows), f"1 to {_MAX_FIELD_ROWS} rows")
    metrics, count = manifest.metrics, len(manifest.output.labels)
    if metrics is None:
        return
    if len(metrics.recall) != count:
        document.refuse_value(("metrics", "recall"), list(metrics.recall), f"a list of {count:,} numbers, each 0 to 1")
    if not metrics.top1_low <= metrics.top1 <= metrics.top1_high:
        expected = f"{metrics.top1_low:g} to {metrics.top1_high:g}, its own interval"
        document.refuse_value(("metrics", "top1"), metrics.top1, expected)


def _check_provenance(document: Document, provenance: dict[str, str]) -> None:
    if len(provenance) > _MAX_PROVENANCE:
        document.refuse_value(("provenance",), provenance, f"at most {_MAX_PROVENANCE} keys")
    for key, value in provenance.items():
        for text in (key, value):
            if len(text) > _MAX_TEXT_CHARACTERS or not is_printable(text):
                expected = f"printable text of at most {_MAX_TEXT_CHARACTERS:,} characters"
                document.refuse_value(("provenance", key), text, expected)
