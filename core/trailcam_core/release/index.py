"""The index of a channel: which releases there are and how many cameras each is for. A signed target, defined here.

A repository holds, for the channel ``animals``, the targets

    animals/release.json                  this index
    animals/1.2.0/manifest.json           and the other files of each bundle that is offered
    animals/deltas/FROM-TO.zst            see delta.py

Schema 1 knew one release, for every camera; it is read as one offer of 100 %. Schema 2 is written.
"""

from dataclasses import asdict, dataclass

from trailcam_core.errors import BundleError
from trailcam_core.strict_json import JsonObject, canonical_json, parse_object

__all__ = [
    "MAX_INDEX_BYTES",
    "MAX_OFFERS",
    "SIGNED_AT",
    "Offer",
    "ReleaseIndex",
    "bundle_path",
    "index_path",
    "index_to_bytes",
    "parse_index",
]

MAX_INDEX_BYTES = 16_384
MAX_OFFERS = 8  # every camera fetches the list, over LTE; older releases are withdrawn
_SCHEMA_VERSION = 2
_CHANNEL = r"[a-z0-9][a-z0-9._-]{0,63}"
_VERSION = r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}([.+-][0-9A-Za-z.+-]{1,40})?"
_MAX_NUMBER = 1_000_000_000


@dataclass(frozen=True)
class Offer:
    """One release: what the index' number was when it was added, the bundle's version, and who takes it.

    ``percent`` (1 to 100) of the cameras take it; of a ``stopped`` one nobody does who does not have it already.
    """

    number: int
    version: str
    percent: int = 100
    stopped: bool = False


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
    top = parse_object(content, source, MAX_INDEX_BYTES)
    schema = top.integer("schema_version", 1, _SCHEMA_VERSION)
    channel = top.text("channel", _CHANNEL, "1 to 64 of a-z 0-9 . _ -")
    number = top.integer("number", 1, _MAX_NUMBER)
    if schema == 1:
        offers = [Offer(number, _take_version(top))]
    else:
        offers = [_take_offer(row) for row in top.children("releases", MAX_OFFERS)]
    top.finish()
    numbers = [offer.number for offer in offers]
    if numbers != sorted(set(numbers), reverse=True) or numbers[0] > number:
        raise BundleError(f"{source}: the numbers of its releases are {numbers}, expected falling from {number:,}.")
    if len({offer.version for offer in offers}) != len(offers):
        raise BundleError(f"{source}: lists a version twice, expected once.")
    return ReleaseIndex(channel, number, tuple(offers))


def _take_offer(row: JsonObject) -> Offer:
    offer = Offer(
        number=row.integer("number", 1, _MAX_NUMBER),
        version=_take_version(row),
        percent=row.integer("percent", 1, 100),
        stopped=row.boolean("stopped"),
    )
    row.finish()
    return offer


def _take_version(row: JsonObject) -> str:
    return row.text("version", _VERSION, "a version such as 1.0.0")


SIGNED_AT = "x-trailcam-signed-at"  # of timestamp.json: TUF itself signs only when it expires
