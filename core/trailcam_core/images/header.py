"""Read the header of a picture file without decoding a pixel.

A few kilobytes of JPEG or PNG can claim a billion pixels, and a decoder believes them. The header is read first, so
that a picture too large for a small board is refused, and a large JPEG is decoded at a fraction of its size. OpenCV
allocates a PNG chunk by its stated length before it reads it, so every length is checked against the file first. The
EXIF orientation is read here too, because releases of OpenCV differ in the formats for which they apply it.

Sources: ITU-T T.81 annex B (JPEG markers), PNG third edition sections 5 and 11, RFC 9649 (WebP), BITMAPINFOHEADER and
BITMAPCOREHEADER (BMP), Exif 2.32 section 4.6 (orientation, tag 0x0112).
"""

import struct
from dataclasses import dataclass

_FOREIGN = {
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"<?xm": "XML",
    b"<!DO": "HTML",
    b"<htm": "HTML",
}
_SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, not DHT, JPG or DAC
_SOF_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_STANDALONE_MARKERS = frozenset({0x01, 0xFF, *range(0xD0, 0xD9)})
_END_MARKER, _SCAN_MARKER, _APP1_MARKER = 0xD9, 0xDA, 0xE1
_BMP_CORE_HEADER_BYTES = 12
_ORIENTATION_TAG = 0x0112
_EXIF_NUMBERS = {3: "H", 4: "I"}  # SHORT, as in the standard, and LONG, as some writers use
_MAX_PARTS = 100_000  # segments or chunks; a large PNG has some thousands of IDAT
_CHUNK_BYTES = 12  # of a PNG chunk without its content: length, kind, check sum


@dataclass(frozen=True)
class ImageHeader:
    """Format and stored size of a picture file, before its orientation is applied.

    ``progressive`` is true for a JPEG that must be held whole in memory to be decoded: a progressive one, or one whose
    colours come in separate scans; ``samples_per_px`` counts the coefficients that are held. ``deep`` is true for 16
    bits per channel, ``orientation`` is 1 to 8 as in EXIF.
    """

    format: str
    width_px: int
    height_px: int
    alpha: bool = False
    deep: bool = False
    progressive: bool = False
    samples_per_px: float = 3.0
    orientation: int = 1


def read_image_header(data: bytes) -> ImageHeader:
    """Read the header of a JPEG, PNG, WebP or BMP file.

    Args:
        data: the whole file.

    Raises:
        ValueError: not one of these formats, cut off inside the header, or a part is longer than the file; the message
            names it.
    """
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:2] == b"BM":
            return _bmp(data)
    except (struct.error, IndexError) as error:
        raise ValueError("the file ends inside its header") from error
    raise ValueError(f"it is {_name_foreign(data)}, expected JPEG, PNG, WebP or BMP")


def _name_foreign(data: bytes) -> str:
    if not data:
        return "empty"
    if data[4:8] == b"ftyp":
        brand = "".join(letter for letter in data[8:12].decode("ascii", "replace") if letter.isalnum())
        return brand.upper()
    return _FOREIGN.get(data[:4], "no picture")


def _jpeg(data: bytes) -> ImageHeader:
    position = 2
    orientation = 1
    frame: _Frame | None = None
    for _ in range(_MAX_PARTS):
        position = data.find(b"\xff", position)  # like libjpeg: bytes between two segments are skipped
        if position < 0:
            break
        marker = data[position + 1]
        if marker == 0 or marker in _STANDALONE_MARKERS:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in (_END_MARKER, _SCAN_MARKER):
            if frame is None:
                raise ValueError("its JPEG header has no frame")
            several_scans = marker == _SCAN_MARKER and data[position + 4] < frame.components
            progressive = frame.marker in _SOF_PROGRESSIVE or several_scans
            return ImageHeader(
                "JPEG",
                frame.width_px,
                frame.height_px,
                progressive=progressive,
                samples_per_px=frame.samples_per_px,
                orientation=orientation,
            )
        length = struct.unpack_from(">H", data, position + 2)[0]
        if position + 2 + length > len(data):
            raise ValueError(f"its JPEG segment FF{marker:02X} of {length:,} bytes is longer than the file")
        if marker in _SOF_MARKERS:
            frame = _read_frame(marker, data[position + 4 : position + 2 + length])
        elif marker == _APP1_MARKER and data[position + 4 : position + 10] == b"Exif\0\0" and orientation == 1:
            orientation = _orientation(data[position + 10 : position + 2 + length])
        position += 2 + length
    raise ValueError("its JPEG header does not end")


@dataclass(frozen=True)
class _Frame:
    marker: int
    height_px: int
    width_px: int
    components: int
    samples_per_px: float


def _read_frame(marker: int, content: bytes) -> _Frame:
    """Read a start of frame; a component is sampled less often than a pixel by its share of the largest factors."""
    height, width, components = struct.unpack_from(">HHB", content, 1)
    factors = [(byte >> 4, byte & 15) for byte in content[7 : 6 + 3 * components : 3]]
    largest = max((across for across, _ in factors), default=0) * max((down for _, down in factors), default=0)
    samples = sum(across * down for across, down in factors) / largest if largest else components
    return _Frame(marker, height, width, components, samples)


def _png(data: bytes) -> ImageHeader:
    width, height, depth, colour_type = struct.unpack_from(">IIBB", data, 16)
    alpha = colour_type in (4, 6)
    orientation = 1
    pixels_begun = False
    position = 8
    for _ in range(_MAX_PARTS):
        if position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        if position + _CHUNK_BYTES + length > len(data):
            raise ValueError(f"its PNG chunk {_kind(kind)} of {length:,} bytes is longer than the file")
        if kind == b"IEND":
            break
        pixels_begun = pixels_begun or kind == b"IDAT"
        if kind == b"tRNS":
            alpha = True
        if kind == b"eXIf" and not pixels_begun:
            orientation = _orientation(data[position + 8 : position + 8 + length])
        position += _CHUNK_BYTES + length
    else:
        raise ValueError(f"it has more than {_MAX_PARTS:,} PNG chunks")
    return ImageHeader("PNG", width, height, alpha=alpha, deep=depth == 16, orientation=orientation)


def _webp(data: bytes) -> ImageHeader:
    orientation = _webp_orientation(data)
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        return ImageHeader("WebP", width, height, alpha=bool(data[20] & 0x10), orientation=orientation)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return ImageHeader("WebP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), alpha=bool(bits >> 28 & 1))
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return ImageHeader("WebP", width & 0x3FFF, height & 0x3FFF)
    raise ValueError("its first WebP chunk is unknown")


def _webp_orientation(data: bytes) -> int:
    """Check every part of the RIFF file, and return the orientation of its EXIF part."""
    orientation = 1
    end = 8 + int(struct.unpack_from("<I", data, 4)[0])  # what follows is no part of it
    if end > len(data):
        raise ValueError(f"its RIFF length of {end - 8:,} bytes is longer than the file")
    position = 12
    for _ in range(_MAX_PARTS):
        if position + 8 > end:
            return orientation
        kind, length = struct.unpack_from("<4sI", data, position)
        if position + 8 + length > end:
            raise ValueError(f"its WebP chunk {_kind(kind)} of {length:,} bytes is longer than the file")
        if kind == b"EXIF" and orientation == 1:
            orientation = _orientation(data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0"))
        position += 8 + length + (length & 1)
    raise ValueError(f"it has more than {_MAX_PARTS:,} WebP chunks")


def _kind(kind: bytes) -> str:
    return kind.decode("ascii") if kind.isalnum() else kind.hex()


def _bmp(data: bytes) -> ImageHeader:
    core = struct.unpack_from("<I", data, 14)[0] == _BMP_CORE_HEADER_BYTES
    width, height = struct.unpack_from("<HH" if core else "<ii", data, 18)
    return ImageHeader("BMP", abs(width), abs(height))  # a negative height means rows from the top


def _orientation(exif: bytes) -> int:
    """Return the orientation in a TIFF-structured EXIF block, 1 where there is none or it is damaged."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        start = struct.unpack_from(order + "I", exif, 4)[0]
        count = struct.unpack_from(order + "H", exif, start)[0]
        for entry in range(count):
            position = start + 2 + 12 * entry
            tag, kind = struct.unpack_from(order + "HH", exif, position)
            if tag == _ORIENTATION_TAG:
                value = struct.unpack_from(order + _EXIF_NUMBERS.get(kind, "H"), exif, position + 8)[0]
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
