"""Find the EXIF block of a photograph: JPEG, PNG, WebP, TIFF, HEIC and AVIF.

Sources: Exif 2.32 section 4.5.4 (JPEG), PNG third edition section 11.3.4.4, RFC 9649 (WebP), TIFF 6.0 section 2,
ISO/IEC 23008-12 annex A.2.1 and 14496-12 section 8.11 (items of HEIF).
"""

import struct
from datetime import datetime

from trailcam_archive.times.bounded import BoundedFile, MalformedError
from trailcam_archive.times.exif import exif_time
from trailcam_archive.times.iso_media import Span, find_box, heif_item, item_of_type, iter_boxes
from trailcam_archive.times.riff import iter_chunks

_MAX_SEGMENTS = 200
_MAX_CHUNKS = 500
_MAX_BLOCK_BYTES = 1_000_000
_TIFF_HEAD_BYTES = 262_144  # directories lie in the first or the last part of a TIFF file
_EXIF_HEAD = b"Exif\0\0"


def photograph_time(file: BoundedFile) -> datetime | None:
    """Return when a photograph was taken, as its EXIF block states it; see ``exif_time``.

    Raises:
        MalformedError: the file is damaged, or none of these formats.
        OSError: the disk is failing.
    """
    head = file.read(0, min(16, file.size_bytes))
    if head[:2] == b"\xff\xd8":
        return _jpeg(file)
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(file)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp(file)
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(file)
    if head[4:8] == b"ftyp":
        return _heif(file)
    raise MalformedError("neither JPEG, PNG, WebP, TIFF nor HEIF")


def _jpeg(file: BoundedFile) -> datetime | None:
    position = 2
    for _ in range(_MAX_SEGMENTS):
        mark, marker = file.numbers(">BB", position)
        if mark != 0xFF or marker in (0xD9, 0xDA):
            return None
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            position += 1 if marker == 0xFF else 2
            continue
        length = file.numbers(">H", position + 2)[0]
        if marker == 0xE1 and length >= 8 and file.read(position + 4, 6) == _EXIF_HEAD:
            return exif_time(file.read(position + 10, length - 8))
        position += 2 + max(2, length)
    return None


def _png(file: BoundedFile) -> datetime | None:
    position = 8
    for _ in range(_MAX_CHUNKS):
        if position + 8 > file.size_bytes:
            return None
        length, kind = file.numbers(">I4s", position)
        if kind == b"eXIf":
            return exif_time(file.read(position + 8, length))
        position += 12 + length
    return None


def _webp(file: BoundedFile) -> datetime | None:
    for kind, start, length in iter_chunks(file, 12, file.size_bytes):
        if kind == b"EXIF":
            return exif_time(file.read(start, length).removeprefix(_EXIF_HEAD))
    return None


def _tiff(file: BoundedFile) -> datetime | None:
    """Read a TIFF file whose directories may lie behind its pixels: only the parts with directories are read."""
    order = "<" if file.read(0, 2) == b"II" else ">"
    if file.size_bytes <= _MAX_BLOCK_BYTES:
        return exif_time(file.read(0, file.size_bytes))
    main = file.numbers(order + "I", 4)[0]
    return exif_time(_compact(file, order, main))


def _compact(file: BoundedFile, order: str, main: int) -> bytes:
    """Return a small TIFF block with the EXIF directory of a large file as its first directory."""
    entry = _entries(file, order, main).get(0x8769)
    if entry is None:
        return b""
    wanted = {
        tag: item
        for tag, item in _entries(file, order, struct.unpack(order + "I", entry[3])[0]).items()
        if item[1] == 2 and item[2] <= 64
    }
    head = file.read(0, 4) + struct.pack(order + "I", 8)
    table, values = struct.pack(order + "H", len(wanted)), b""
    start = 8 + 2 + 12 * len(wanted)
    for tag, (_, kind, count, value) in wanted.items():
        place = value
        if count > 4:
            place = struct.pack(order + "I", start + len(values))
            values += file.read(struct.unpack(order + "I", value)[0], count)
        table += struct.pack(order + "HHI", tag, kind, count) + place
    return head + table + values


def _entries(file: BoundedFile, order: str, start: int) -> dict[int, tuple[int, int, int, bytes]]:
    number = file.numbers(order + "H", start)[0]
    content = file.read(start + 2, 12 * number)
    found = struct.iter_unpack(order + "HHI4s", content)
    return {tag: (tag, kind, count, value) for tag, kind, count, value in found}


def _heif(file: BoundedFile) -> datetime | None:
    meta = find_box(iter_boxes(file, Span(0, file.size_bytes)), b"meta")
    if meta is None:
        return None
    item = item_of_type(file, meta, b"Exif")
    place = None if item is None else heif_item(file, meta, item)
    if place is None:
        return None
    block = file.read(place.start, place.end - place.start)
    skipped = struct.unpack_from(">I", block)[0] if len(block) >= 4 else 0  # offset of the TIFF header
    return exif_time(block[4 + skipped :].removeprefix(_EXIF_HEAD))
