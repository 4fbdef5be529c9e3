"""The index of a channel: which release a camera should run. It is a signed target; this is its one definition.

A repository holds, for the channel ``animals``, the targets

    animals/release.json             this index
    animals/1.2.0/manifest.json      and the other files of the bundle
"""

from dataclasses import asdict, dataclass

from trailcam_edge.strict_json import canonical_json, parse_object

__all__ = ["MAX_INDEX_BYTES", "ReleaseIndex", "bundle_path", "index_path", "index_to_bytes", "parse_index"]

MAX_INDEX_BYTES = 16_384
_SCHEMA_VERSION = 1
_CHANNEL = r"[a-z0-9][a-z0-9._-]{0,63}"
_VERSION = r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}([.+-][0-9A-Za-z.+-]{1,40})?"


@dataclass(frozen=True)
class ReleaseIndex:
    """Release ``number`` of a channel is the bundle of ``version``. Numbers only grow, versions may go back."""

    channel: str
    number: int
    version: str


def index_path(channel: str) -> str:
    """Return the target path of a channel's index."""
    return f"{channel}/release.json"


def bundle_path(channel: str, version: str, file: str) -> str:
    """Return the target path of a bundle's file."""
    return f"{channel}/{version}/{file}"


def index_to_bytes(index: ReleaseIndex) -> bytes:
    """Return the canonical bytes of an index, after reading them back as a device would.

    Raises:
        BundleError: a field is out of its range.
    """
    content = canonical_json(asdict(index) | {"schema_version": _SCHEMA_VERSION})
    parse_index(content)
    return content


def parse_index(content: bytes, source: str = "release.json") -> ReleaseIndex:
    """Check and read an index.

    Raises:
        BundleError: not JSON, of another schema, or a field out of its range.
    """
    top = parse_object(content, source, MAX_INDEX_BYTES)
    top.integer("schema_version", _SCHEMA_VERSION, _SCHEMA_VERSION)
    index = ReleaseIndex(
        channel=top.text("channel", _CHANNEL, "1 to 64 of a-z 0-9 . _ -"),
        number=top.integer("number", 1, 1_000_000_000),
        version=top.text("version", _VERSION, "a version such as 1.0.0"),
    )
    top.finish()
    return index
