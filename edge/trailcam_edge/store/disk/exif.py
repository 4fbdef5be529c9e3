"""Add EXIF to a JPEG: time, label and model, so that a picture keeps this information outside of the store.

Only what a visit needs is written: a TIFF block of two directories in one APP1 segment right behind the start of the
image. Sources: Exif 2.32 (CIPA DC-008) sections 4.5.4, 4.6.2 and 4.6.5; TIFF 6.0 section 2.
"""

import json
import struct
from datetime import UTC, datetime
from typing import Any

_START = b"\xff\xd8"
_APP1 = b"\xff\xe1"
_ASCII, _LONG, _UNDEFINED = 2, 4, 7
_IMAGE_DESCRIPTION, _SOFTWARE, _EXIF_DIRECTORY = 0x010E, 0x0131, 0x8769
_VERSION, _TIME_ORIGINAL, _OFFSET_ORIGINAL, _USER_COMMENT = 0x9000, 0x9003, 0x9011, 0x9286
_MAX_SEGMENT_BYTES = 65_533  # the length of a segment has 16 bits and counts itself

PictureFacts = dict[str, Any]  # what goes into the comment as JSON

_Entry = tuple[int, int, bytes]  # tag, type, value


def add_exif(jpeg: bytes, label: str, software: str, taken: datetime | None, facts: PictureFacts) -> bytes:
    """Return the JPEG with an EXIF block.

    Args:
        jpeg: a file without EXIF, as an encoder writes it.
        label: ImageDescription, in UTF-8 if it is not ASCII, as readers expect.
        software: Software, the same.
        taken: DateTimeOriginal in UTC, with its offset; left out where None, because the standard's blanks for
            "unknown" make some readers fail.
        facts: UserComment, as JSON in ASCII.

    Raises:
        ValueError: not a JPEG, or the texts are longer than one segment can hold.
    """
    if jpeg[:2] != _START:
        raise ValueError("not a JPEG: it does not start with FF D8")
    comment = b"ASCII\0\0\0" + json.dumps(facts, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    details: list[_Entry] = [(_VERSION, _UNDEFINED, b"0232"), (_USER_COMMENT, _UNDEFINED, comment)]
    if taken is not None:
        stamp = taken.astimezone(UTC).strftime("%Y:%m:%d %H:%M:%S")
        details += [(_TIME_ORIGINAL, _ASCII, _text(stamp)), (_OFFSET_ORIGINAL, _ASCII, _text("+00:00"))]
    main: list[_Entry] = [(_IMAGE_DESCRIPTION, _ASCII, _text(label)), (_SOFTWARE, _ASCII, _text(software))]
    offset = 8 + len(_directory([*main, (_EXIF_DIRECTORY, _LONG, bytes(4))], 8))
    main.append((_EXIF_DIRECTORY, _LONG, struct.pack("<I", offset)))
    tiff = b"II*\0" + struct.pack("<I", 8) + _directory(main, 8) + _directory(details, offset)
    segment = b"Exif\0\0" + tiff
    if len(segment) > _MAX_SEGMENT_BYTES:
        raise ValueError(f"EXIF of {len(segment):,} bytes, expected at most {_MAX_SEGMENT_BYTES:,}")
    return _START + _APP1 + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def _text(value: str) -> bytes:
    return value.encode("utf-8", "replace").replace(b"\0", b" ") + b"\0"


def _directory(entries: list[_Entry], start: int) -> bytes:
    """Return one image file directory and its values; values of up to 4 bytes are inside the entry."""
    entries = sorted(entries)
    values_start = start + 2 + 12 * len(entries) + 4
    table, values = struct.pack("<H", len(entries)), b""
    for tag, kind, value in entries:
        count = 1 if kind == _LONG else len(value)
        if len(value) <= 4:
            place = value.ljust(4, b"\0")
        else:
            place = struct.pack("<I", values_start + len(values))
            values += value + bytes(len(value) % 2)  # values start on even offsets
        table += struct.pack("<HHI", tag, kind, count) + place
    return table + bytes(4) + values
