"""The time that a file states, in every format, and nothing for what no camera writes."""

import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from PIL import Image

from trailcam_archive.media_files import MediaKind
from trailcam_archive.times.recorded import recorded_time

from .media_bytes import avi, box, matroska, mp4, photograph, with_exif

_TIME = datetime(2012, 6, 9, 14, 21, 7)


def _time(tmp_path: Path, content: bytes, kind: MediaKind) -> datetime | None:
    path = tmp_path / "file"
    path.write_bytes(content)
    stated = recorded_time(path, kind)
    return None if stated is None else stated.time


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_photographs_of_every_format_state_the_time_of_exposure(tmp_path: Path, form: str) -> None:
    assert _time(tmp_path, photograph(form, "2012:06:09 14:21:07"), "photograph") == _TIME
    assert _time(tmp_path, photograph(form, None), "photograph") is None


def test_fraction_and_offset_are_part_of_the_time(tmp_path: Path) -> None:
    content = photograph("JPEG", "2012:06:09 14:21:07", offset="-03:30", fraction="25")
    zone = timezone(-timedelta(hours=3, minutes=30))
    assert _time(tmp_path, content, "photograph") == _TIME.replace(microsecond=250_000, tzinfo=zone)
    odd = photograph("JPEG", "2012:06:09 14:21:07", offset="+99:00", fraction="many")
    assert _time(tmp_path, odd, "photograph") == _TIME


def test_digitised_counts_where_original_is_missing(tmp_path: Path) -> None:
    assert _time(tmp_path, photograph("JPEG", None, digitised="2012:06:09 14:21:07"), "photograph") == _TIME


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "0000:01:01 00:00:00",
        "2108:06:09 14:21:07",
        "1994:12:31 23:59:59",
        "2012:02:30 01:00:00",
        "    :  :     :  :  ",
        "2012:06:09",
        "",
        "9999:99:99 99:99:99",
    ],
)
def test_times_that_no_camera_can_have_are_unknown(tmp_path: Path, text: str) -> None:
    assert _time(tmp_path, photograph("JPEG", text), "photograph") is None


def test_the_directories_of_a_large_tiff_lie_behind_its_pixels(tmp_path: Path) -> None:
    content = with_exif(Image.effect_noise((1200, 1200), 80), "TIFF", {0x9003: "2012:06:09 14:21:07"})
    assert len(content) > 1_000_000
    assert _time(tmp_path, content, "photograph") == _TIME


@pytest.mark.parametrize("long", [False, True])
def test_mp4_counts_from_1904_in_utc(tmp_path: Path, long: bool) -> None:
    assert _time(tmp_path, mp4(_TIME.replace(tzinfo=UTC), long), "clip") == _TIME.replace(tzinfo=UTC)
    assert _time(tmp_path, mp4(None, long), "clip") is None


def test_a_movie_of_1904_or_2108_states_no_time(tmp_path: Path) -> None:
    for year in (1904, 1994, 2100):
        assert _time(tmp_path, mp4(datetime(year, 1, 2, tzinfo=UTC), long=True), "clip") is None


@pytest.mark.parametrize("text", [b"Sat Jun 09 14:21:07 2012\n\0", b"2012:06:09 14:21:07\0", b"2012-06-09 14:21:07"])
def test_avi_states_local_time(tmp_path: Path, text: bytes) -> None:
    assert _time(tmp_path, avi(text), "clip") == _TIME


def test_avi_in_minutes_without_or_with_nonsense(tmp_path: Path) -> None:
    assert _time(tmp_path, avi(b"2012/06/09/ 14:21\0"), "clip") == _TIME.replace(second=0)
    assert _time(tmp_path, avi(None), "clip") is None
    assert _time(tmp_path, avi(b"Sat Foo 09 14:21:07 2012"), "clip") is None
    assert _time(tmp_path, avi(b"Sat Jun 31 14:21:07 2012"), "clip") is None


def test_matroska_states_utc(tmp_path: Path) -> None:
    assert _time(tmp_path, matroska(_TIME.replace(tzinfo=UTC)), "clip") == _TIME.replace(tzinfo=UTC)
    assert _time(tmp_path, matroska(None), "clip") is None


def test_no_bytes_of_a_damaged_file_raise_or_hang(tmp_path: Path) -> None:
    chance = random.Random(18)
    samples: list[tuple[bytes, MediaKind]] = [
        *((photograph(form, "2012:06:09 14:21:07"), "photograph") for form in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")),
        (mp4(_TIME.replace(tzinfo=UTC)), "clip"),
        (avi(b"Sat Jun 09 14:21:07 2012"), "clip"),
        (matroska(_TIME.replace(tzinfo=UTC)), "clip"),
    ]
    for content, kind in samples:
        for size in range(0, min(len(content), 400), 3):
            _time(tmp_path, content[:size], kind)
        for _ in range(150):
            damaged = bytearray(content)
            for _ in range(chance.choice((1, 3, 20))):
                damaged[chance.randrange(min(len(damaged), 600))] = chance.choice((0, 1, 0x7F, 0xFF))
            _time(tmp_path, bytes(damaged), kind)


def test_a_box_or_chunk_that_never_ends_is_given_up(tmp_path: Path) -> None:
    endless = box(b"ftyp", b"isom") + box(b"free") * 20_000 + mp4(_TIME.replace(tzinfo=UTC))
    assert _time(tmp_path, endless, "clip") is None
    assert _time(tmp_path, b"\xff\xd8" + b"\xff\xe0\x00\x02" * 50_000, "photograph") is None


def test_a_file_that_cannot_be_read_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        recorded_time(tmp_path / "gone", "clip")


def test_an_offset_of_99_minutes_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photograph("JPEG", "2012:06:09 14:21:07", offset="+01:99"))
    found = recorded_time(tmp_path / "a.jpg", "photograph")
    assert found is not None
    assert found.time.tzinfo is None
