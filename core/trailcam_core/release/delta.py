"""Deltas: the difference between a file and one that the camera has, compressed by zstd and never trusted.

    CHANNEL/deltas/FROM-TO.zst    FROM and TO are the first 16 hexadecimal digits of the SHA-256 of the two files

A delta is one zstd frame whose prefix is the base (``zstd --patch-from``). The empty file is a base too, one that
every camera has: its delta is the file, compressed. A delta is a signed target like any other. Its result is
compared with the signed length and digest of the whole file, which refuses a wrong base, a wrong delta and a bomb.

Memory: the base twice, and a window of at most ``2 ** WINDOW_LOG_MAX`` bytes. Measured: 17 MB with the built-in model,
94 MB with two files of 32 MB.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from trailcam_core.errors import UpdateError

MAX_DELTA_FILE_BYTES = 32_000_000  # of base and of result: both lie in the memory of a board that has 512 MB
WINDOW_LOG_MAX = 26  # base and result within one window: 2 ** 26 is more than 64,000,000
LEAST_PREFIX_BYTES = 8  # zstd takes no shorter dictionary
_DIGITS = 16
_CHUNK_BYTES = 1 << 16


def delta_path(channel: str, base_sha256: str, result_sha256: str) -> str:
    """Return the target path of the delta between two files."""
    return f"{channel}/deltas/{base_sha256[:_DIGITS]}-{result_sha256[:_DIGITS]}.zst"


def apply_delta(base: bytes, delta: Path, place: Path, length: int, sha256: str) -> None:
    """Write the file that a delta makes of ``base`` to ``place``, flushed; it equals the signed file.

    Args:
        base: the file that the camera has.
        delta: the delta's file.
        place: overwritten; unfinished after an error.
        length: of the result, in bytes, signed. Nothing is unpacked beyond it.
        sha256: of the result, signed.

    Raises:
        UpdateError: damaged, of another base, or it makes something else.
        OSError: the disk is full, read-only or failing.
    """
    digest, written = hashlib.sha256(), 0
    with open(delta, "rb") as packed, open(place, "wb") as file:
        try:
            for chunk in _unpack(base, packed):
                written += len(chunk)
                if written > length:
                    raise UpdateError(f"{delta.name}: unpacks to more than the {length:,} bytes that were signed.")
                digest.update(chunk)
                file.write(chunk)
        except (zstd.ZstdError, EOFError) as error:
            raise UpdateError(f"{delta.name}: cannot be unpacked ({error}).") from error
        file.flush()
        os.fsync(file.fileno())
    if written != length or digest.hexdigest() != sha256:
        raise UpdateError(f"{delta.name}: makes another file than the one that was signed. Is it of another base?")


def _unpack(base: bytes, packed: BinaryIO) -> Iterator[bytes]:
    """Yield at most ``_CHUNK_BYTES`` at a time, also of a bomb."""
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}
    prefix = zstd.ZstdDict(base, is_raw=True).as_prefix if len(base) >= LEAST_PREFIX_BYTES else None
    unpacker = zstd.ZstdDecompressor(zstd_dict=prefix, options=options)
    while not unpacker.eof:
        content = packed.read(_CHUNK_BYTES) if unpacker.needs_input else b""
        if unpacker.needs_input and not content:
            raise EOFError("it ends too early")
        yield unpacker.decompress(content, _CHUNK_BYTES)
