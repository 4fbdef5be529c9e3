"""Time on a machine that may not know the date."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trailcam_edge.events import has_neighbours, is_dated, is_recording
from trailcam_edge.events.clock import RecordingClock, SystemClock, date_is_known, read_boot_id


def test_a_moment_is_dated_back_from_now() -> None:
    clock = SystemClock(known=lambda: True)
    moment = clock.moment(time.monotonic() - 60)
    assert moment.wall is not None
    assert moment.wall.tzinfo is not None
    assert abs((datetime.now().astimezone() - moment.wall).total_seconds() - 60) < 5


def test_without_a_date_the_moment_still_has_its_place() -> None:
    clock = SystemClock(known=lambda: False)
    moment = clock.moment(12.5)
    assert moment.wall is None
    assert moment.monotonic_s == 12.5
    assert moment.boot_id == clock.moment(99.0).boot_id != ""


def test_a_start_of_the_machine_has_a_name_even_where_the_kernel_gives_none(tmp_path: Path) -> None:
    (tmp_path / "boot_id").write_text("abc\n", encoding="ascii")
    assert read_boot_id(tmp_path / "boot_id") == "abc"
    assert read_boot_id(tmp_path / "none").startswith("started-")
    for odd in (b"", bytes(range(128, 256)), b"a b", b"x" * 100_000):
        (tmp_path / "boot_id").write_bytes(odd)
        assert read_boot_id(tmp_path / "boot_id").startswith("started-")


def test_only_a_board_without_a_hardware_clock_has_to_ask_whether_its_date_is_right(tmp_path: Path) -> None:
    board, hardware_clock = tmp_path / "model", tmp_path / "rtc0"
    assert date_is_known(board, hardware_clock)
    board.touch()
    assert date_is_known(board, hardware_clock) in (True, False)
    hardware_clock.touch()
    assert date_is_known(board, hardware_clock)


@pytest.mark.parametrize(("answer", "known"), [(0, True), (4, True), (5, False), (-1, False)])
def test_a_board_whose_kernel_may_not_be_asked_does_not_know_the_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int, known: bool
) -> None:
    class Library:
        def adjtimex(self, buffer: object) -> int:
            return answer

    board = tmp_path / "model"
    board.touch()
    monkeypatch.setattr("trailcam_edge.events.clock.ctypes.CDLL", lambda name: Library())
    assert date_is_known(board, tmp_path / "none") is known


def test_a_recording_that_states_no_time_has_a_clock_without_a_date() -> None:
    clock = RecordingClock()
    first, last = clock.moment(500.0), clock.moment(4100.0)
    assert (first.monotonic_s, last.monotonic_s) == (0.0, 3600.0)
    assert (first.wall, last.wall) == (None, None)
    assert is_recording(first.boot_id)
    assert not has_neighbours(first.boot_id)


def test_a_recording_that_states_its_time_is_dated_by_it() -> None:
    began = datetime(2012, 6, 9, 14, 21, tzinfo=UTC)
    clock = RecordingClock(began)
    first, last = clock.moment(500.0), clock.moment(4100.0)
    assert (first.wall, last.wall) == (began, began + timedelta(hours=1))
    assert is_dated(first.boot_id)
    assert not has_neighbours(first.boot_id)
