"""Deltas between bundles, and the download size of a release for cameras with each earlier bundle."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from trailcam_core.release.delta import LEAST_PREFIX_BYTES, MAX_DELTA_FILE_BYTES

Files = Mapping[str, bytes]  # of a bundle, by name, without its manifest

# Measured with the built-in model: to another head, level 3 makes 14,570 bytes and level 19 13,366; from nothing they
# make 4,668,283 and 4,685,150. Level 3 takes 0.2 s for both, level 19 fourteen.
_LEVEL = 3
_MAX_FRACTION = 0.9  # of the whole file; a delta that saves less only makes the list of targets longer
_WINDOW_LOG_MIN = 10


@dataclass(frozen=True)
class Base:
    """Files that some cameras have; ``who`` describes these cameras."""

    who: str
    files: Files


@dataclass(frozen=True)
class Delta:
    """A zstd frame that turns the file with one digest into the file with another."""

    base_sha256: str
    result_sha256: str
    content: bytes


@dataclass(frozen=True)
class Cost:
    """Download size of a release's files for cameras of one kind, in bytes."""

    who: str
    fetched_bytes: int


NOTHING = Base("no bundle of these", {})


def make_delta(base: bytes, result: bytes) -> bytes:
    """Return one zstd frame that turns ``base`` into ``result``; every camera has the empty base."""
    window = max((len(base) + len(result) - 1).bit_length(), _WINDOW_LOG_MIN)
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: _LEVEL,
        zstd.CompressionParameter.window_log: window,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    prefix = zstd.ZstdDict(base, is_raw=True).as_prefix if len(base) >= LEAST_PREFIX_BYTES else None
    return zstd.compress(result, options=options, zstd_dict=prefix)


def make_deltas(files: Files, bases: Sequence[Base]) -> list[Delta]:
    """Return the deltas from the files of each base to those of the same name, if they save 10 % or more."""
    made: dict[tuple[str, str], Delta] = {}
    for name, result in files.items():
        for base in [*bases, NOTHING]:
            before = base.files.get(name, b"")
            pair = (_sha256(before), _sha256(result))
            if pair in made or before == result or max(len(before), len(result)) > MAX_DELTA_FILE_BYTES:
                continue
            content = make_delta(before, result)
            if len(content) <= _MAX_FRACTION * len(result):
                made[pair] = Delta(*pair, content)
    return list(made.values())


def costs(files: Files, bases: Sequence[Base], deltas: Sequence[Delta]) -> list[Cost]:
    """Return the download sizes of ``files`` for cameras with each of ``bases``, and with none of them."""
    sizes = {(delta.base_sha256, delta.result_sha256): len(delta.content) for delta in deltas}
    rows = []
    for base in [*bases, NOTHING]:
        fetched = 0
        for name, result in files.items():
            before = base.files.get(name, b"")
            ways = [len(result)]
            ways += [sizes[pair] for start in (before, b"") if (pair := (_sha256(start), _sha256(result))) in sizes]
            fetched += 0 if before == result else min(ways)
        rows.append(Cost(base.who, fetched))
    return rows


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
