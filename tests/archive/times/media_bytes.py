"""Small media files that state a time, made by hand or by Pillow."""

import io
import struct
from datetime import UTC, datetime

from PIL import Image, TiffImagePlugin


def photograph(form: str, original: str | None, **more: str) -> bytes:
    """Return a picture file of Pillow with DateTimeOriginal, ``offset`` and ``fraction``."""
    texts = ((0x9003, original), (0x9004, more.get("digitised")), (0x9011, more.get("offset")))
    details = {tag: text for tag, text in (*texts, (0x9291, more.get("fraction"))) if text is not None}
    return with_exif(Image.new("RGB", (32, 32), "green"), form, details)


def with_exif(image: Image.Image, form: str, details: dict[int, str]) -> bytes:
    """Return a picture file with these tags in its EXIF directory; the time of its last change is never used."""
    file = io.BytesIO()
    if form == "TIFF":
        info = TiffImagePlugin.ImageFileDirectory_v2()
        info[0x0132] = "2020:01:01 00:00:00"
        info[0x8769] = details
        image.save(file, form, tiffinfo=info)
        return file.getvalue()
    exif = Image.Exif()
    exif[0x0132] = "2020:01:01 00:00:00"
    exif.get_ifd(0x8769).update(details)
    image.save(file, form, exif=exif)
    return file.getvalue()


def box(kind: bytes, *content: bytes) -> bytes:
    """Return a box of the ISO base media format."""
    whole = b"".join(content)
    return struct.pack(">I4s", 8 + len(whole), kind) + whole


def mp4(time: datetime | None, long: bool = False) -> bytes:
    """Return the head of an MP4 file with this creation time."""
    seconds = 0 if time is None else round((time - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())
    header = struct.pack(">IQQ", 1 << 24, seconds, seconds) if long else struct.pack(">III", 0, seconds, seconds)
    return box(b"ftyp", b"isom") + box(b"mdat", bytes(100)) + box(b"moov", box(b"mvhd", header, bytes(88)))


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a RIFF chunk."""
    return struct.pack("<4sI", kind, len(content)) + content + bytes(len(content) & 1)


def avi(text: bytes | None) -> bytes:
    """Return the head of an AVI file with this IDIT."""
    parts = chunk(b"avih", bytes(56)) + chunk(b"LIST", b"strl" + chunk(b"strh", bytes(56)))
    if text is not None:
        parts += chunk(b"IDIT", text)
    content = b"AVI " + chunk(b"LIST", b"hdrl" + parts) + chunk(b"LIST", b"movi" + bytes(64))
    return chunk(b"RIFF", content)


def element(name: bytes, content: bytes) -> bytes:
    """Return an EBML element with a length of two bytes."""
    return name + struct.pack(">H", 0x4000 | len(content)) + content


def matroska(time: datetime | None) -> bytes:
    """Return the head of a Matroska file with this DateUTC."""
    nanoseconds = 0 if time is None else round((time - datetime(2001, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9
    date = b"" if time is None else element(b"\x44\x61", struct.pack(">q", nanoseconds))
    info = element(b"\x15\x49\xa9\x66", element(b"\x2a\xd7\xb1", b"\x0f\x42\x40") + date)
    segment = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + info + element(b"\x1f\x43\xb6\x75", bytes(32))
    return element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x88matroska") + segment
