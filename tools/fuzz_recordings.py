"""Inputs and readers of the fuzzer for cards: times of recordings, and tables of stations."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from trailcam_archive.card.stations import read_stations
from trailcam_archive.times.clock import CameraClock
from trailcam_archive.times.recorded import clip_duration_s, recorded_time
from trailcam_edge.store.disk.exif import add_exif


def recordings() -> list[bytes]:
    """Return the heads of files that state a time."""
    picture = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    seconds = struct.pack(">III", 0, 3_400_000_000, 3_400_000_000)
    header = struct.pack(">I4s", 108, b"mvhd") + seconds + bytes(88)
    movie = struct.pack(">I4s", 8 + len(header), b"moov") + header
    date = b"\x44\x61\x88" + struct.pack(">q", 360_000_000 * 10**9)
    info = b"\x15\x49\xa9\x66" + bytes([0x80 | len(date)]) + date
    idit = b"IDIT" + struct.pack("<I", 26) + b"Sat Jun 09 14:21:07 2012\n\0"
    avi = b"AVI LIST" + struct.pack("<I", 4 + len(idit)) + b"hdrl" + idit
    photograph = add_exif(picture, "cat", "fuzz", datetime(2012, 6, 9, tzinfo=UTC), {})
    return [
        photograph,
        photograph[12:4000],  # the EXIF block is a TIFF file
        struct.pack(">I4s", 8, b"ftyp") + movie,
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7 + info,
        b"RIFF" + struct.pack("<I", len(avi)) + avi,
    ]


def read_times(content: bytes, place: Path) -> None:
    """Read the time of a photograph and of a clip."""
    place.write_bytes(content)
    recorded_time(place, "photograph")
    recorded_time(place, "clip")
    clip_duration_s(place)


def read_stations_table(content: bytes, place: Path) -> None:
    """Read a table of stations."""
    place.write_bytes(content)
    read_stations(place, CameraClock(UTC))


def stations() -> list[bytes]:
    """Return tables of stations."""
    return [b"deploymentID,latitude,longitude,camera,folder,timezone,shift\noak,52.7,23.8,RC,a/b,UTC,+1h\n"]
