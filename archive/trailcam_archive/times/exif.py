"""DateTimeOriginal of an EXIF block, with its fraction of a second and its offset from UTC.

Source: Exif 2.32 (CIPA DC-008) section 4.6.5, tags 0x9003, 0x9011 and 0x9291, and those of DateTimeDigitized, which a
camera sets alike. DateTime (0x0132) is left out: it is the time of the last change by any program.
"""

import re
import struct
from datetime import UTC, datetime, timedelta, timezone

_EXIF_DIRECTORY = 0x8769
_ASCII = 2
_BYTES = {3: 2, 4: 4, 5: 8, 9: 4, 10: 8}  # of the types that are longer than a byte
_LONGEST_TEXT = 64
_MAX_ENTRIES = 1_000
_TAGS = ((0x9003, 0x9291, 0x9011), (0x9004, 0x9292, 0x9012))  # time, fraction, offset: original, then digitised
_TIME = re.compile(r"(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(r"([+-])(\d\d):?([0-5]\d)")
FIRST_YEAR, LAST_YEAR = 1995, 2099  # the first version of EXIF is of 1995; a clock beyond 2099 was set to nonsense
_LARGEST_OFFSET = timedelta(hours=14)


def exif_time(tiff: bytes) -> datetime | None:
    """Return when a photograph was taken.

    Args:
        tiff: the EXIF block, from its byte order on; it may be damaged.

    Returns:
        With the zone that the block states, without a zone if it states none; None if there is no time, or one outside
        of the years 1995 to 2099.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        main = _directory(tiff, order, struct.unpack_from(order + "I", tiff, 4)[0])
        entry = main.get(_EXIF_DIRECTORY)
        start = 0 if entry is None else struct.unpack_from(order + "I", tiff, entry[2])[0]
        texts = main | _directory(tiff, order, start)
    except (struct.error, ValueError):
        return None
    for time_tag, fraction_tag, offset_tag in _TAGS:
        time = read_time(_text(tiff, texts.get(time_tag)))
        if time is not None:
            return _with_details(time, *(_text(tiff, texts.get(tag)) for tag in (fraction_tag, offset_tag)))
    return None


def read_time(text: str) -> datetime | None:
    """Return a time of the form "2026:05:01 18:30:00", None for any other text and for years out of range."""
    found = _TIME.match(text.strip())
    if found is None:
        return None
    return make_time(*map(int, found.groups()))


def make_time(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    """Return a time without a zone; None if there is none such, or in a year out of range."""
    try:
        return datetime(year, month, day, hour, minute, second) if FIRST_YEAR <= year <= LAST_YEAR else None
    except ValueError:
        return None


_Entry = tuple[int, int, int]  # type, count, place of the value


def _directory(tiff: bytes, order: str, start: int) -> dict[int, _Entry]:
    """Return the entries of a directory by tag; empty for place 0."""
    if start == 0:
        return {}
    count = struct.unpack_from(order + "H", tiff, start)[0]
    if count > _MAX_ENTRIES:
        raise ValueError("more entries than a camera writes")
    entries: dict[int, _Entry] = {}
    for number in range(count):
        place = start + 2 + 12 * number
        tag, kind, length = struct.unpack_from(order + "HHI", tiff, place)
        is_inside = length * _BYTES.get(kind, 1) <= 4
        value = place + 8 if is_inside else struct.unpack_from(order + "I", tiff, place + 8)[0]
        entries.setdefault(tag, (kind, length, value))
    return entries


def _text(tiff: bytes, entry: _Entry | None) -> str:
    if entry is None or entry[0] != _ASCII or not 0 < entry[1] <= _LONGEST_TEXT:
        return ""
    return tiff[entry[2] : entry[2] + entry[1]].split(b"\0")[0].decode("ascii", "replace").strip()


def _with_details(time: datetime, fraction: str, offset: str) -> datetime:
    if fraction.isascii() and fraction.isdecimal():
        time = time.replace(microsecond=int(fraction[:6].ljust(6, "0")))
    if offset == "Z":
        return time.replace(tzinfo=UTC)
    found = _OFFSET.fullmatch(offset)
    if found is None:
        return time
    size = timedelta(hours=int(found[2]), minutes=int(found[3]))
    if size > _LARGEST_OFFSET:
        return time
    return time.replace(tzinfo=timezone(-size if found[1] == "-" else size))
