"""The index of a channel: its releases and the percentage of cameras for each. It is a signed target.

A repository holds, for the channel ``animals``, the targets

    animals/release.json                  this index
    animals/1.2.0/manifest.json           and the other files of each bundle that is offered
    animals/deltas/FROM-TO.zst            see delta.py

Schema 1 knew one release, for every camera; it is read as one offer of 100 %. Schema 2 is written.
"""

from dataclasses import asdict, dataclass
from typing import Annotated

from trailcam_core.errors import BundleError
from trailcam_core.records import Pattern, Range, canonical_json, parse_json
from trailcam_core.spec import VERSION_PATTERN

MAX_INDEX_BYTES = 16_384
MAX_OFFERS = 8  # every camera fetches the list, over LTE; older releases are withdrawn
_SCHEMA_VERSION = 2
SIGNED_AT = "x-trailcam-signed-at"  # a field of timestamp.json: TUF itself signs only when it expires

_Channel = Annotated[str, Pattern(r"[a-z0-9][a-z0-9._-]{0,63}", "1 to 64 of a-z 0-9 . _ -")]
_Version = Annotated[str, Pattern(VERSION_PATTERN, "a version such as 1.0.0")]
_Number = Annotated[int, Range(1, 1_000_000_000)]


@dataclass(frozen=True)
class Offer:
    """One release: the number of the index that added it, and the version of its bundle.

    ``percent`` (1 to 100) of the cameras take it. Only cameras that have a ``stopped`` one already keep it.
    """

    number: _Number
    version: _Version
    percent: Annotated[int, Range(1, 100)] = 100
    stopped: bool = False


@dataclass(frozen=True)
class _Index:
    """The file of schema 2."""

    schema_version: Annotated[int, Range(_SCHEMA_VERSION, _SCHEMA_VERSION)]
    channel: _Channel
    number: _Number
    releases: tuple[Offer, ...]


@dataclass(frozen=True)
class _FirstIndex:
    """The file of schema 1: a single release for every camera."""

    schema_version: Annotated[int, Range(1, 1)]
    channel: _Channel
    number: _Number
    version: _Version


@dataclass(frozen=True)
class ReleaseIndex:
    """State ``number`` of a channel and what it offers, the newest first. Numbers only grow, versions may go back."""

    channel: str
    number: int
    offers: tuple[Offer, ...]

    @property
    def version(self) -> str:
        """The version of the newest release."""
        return self.offers[0].version


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
    content = canonical_json(
        {
            "schema_version": _SCHEMA_VERSION,
            "channel": index.channel,
            "number": index.number,
            "releases": [asdict(offer) for offer in index.offers],
        }
    )
    parse_index(content)
    return content


def parse_index(content: bytes, source: str = "release.json") -> ReleaseIndex:
    """Check and read an index.

    Raises:
        BundleError: not JSON, of another schema, a field out of its range, a version twice, not the newest first.
    """
    table, document = parse_json(content, source, BundleError, MAX_INDEX_BYTES)
    schema = table.get("schema_version")
    if schema not in (1, _SCHEMA_VERSION):
        document.refuse_value(("schema_version",), schema, Range(1, _SCHEMA_VERSION))
    if schema == 1:
        only = document.decode(_FirstIndex, table)
        offers: tuple[Offer, ...] = (Offer(only.number, only.version),)
        channel, number = only.channel, only.number
    else:
        index = document.decode(_Index, table)
        channel, number, offers = index.channel, index.number, index.releases
        if not 1 <= len(offers) <= MAX_OFFERS:
            document.refuse_value(("releases",), list(offers), f"a list of 1 to {MAX_OFFERS} releases")
    numbers = [offer.number for offer in offers]
    if numbers != sorted(set(numbers), reverse=True) or numbers[0] > number:
        raise BundleError(f"{source}: the numbers of its releases are {numbers}, expected falling from {number:,}.")
    if len({offer.version for offer in offers}) != len(offers):
        raise BundleError(f"{source}: lists a version twice, expected once.")
    return ReleaseIndex(channel, number, offers)
