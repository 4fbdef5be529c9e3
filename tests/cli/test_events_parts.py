"""``trailcam events`` of a large store: processes read it in parts, and print what one would."""

import shutil
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trailcam.commands.events import parts
from trailcam.commands.events.lines import Query
from trailcam.main import main
from trailcam_edge.events import Moment, Visit
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.settings import StoreSettings

VISITS = 21
FORMS: tuple[list[str], ...] = (
    [],
    ["--csv"],
    ["--json"],
    ["--label", "fox"],
    ["--limit", "9"],
    ["--unreviewed", "--csv"],
)


def _moment(second: float) -> Moment:
    return Moment(second, datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=second), "boot-0")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of 21 visits, one a minute."""
    folder = tmp_path / "store"
    opened = EventStore(StoreSettings(folder, min_free_bytes=0))
    for number in range(VISITS):
        label = ("fox", "roe deer")[number % 2]
        span = _moment(60 * number), _moment(60 * number + 7)
        opened.add_visit(Visit(f"visit-{number}", label, *span, 0.9, 3, 5, None, "tiny-1.0.0", 10.0))
    opened.close()
    return folder


def _printed(store: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["events", "--store", str(store), *words]) == 0
    found = capsys.readouterr()
    return found.out, found.err


def _use_processes(monkeypatch: pytest.MonkeyPatch) -> list[parts.PartProcess]:
    """Let every store be read by two processes, in parts of four visits; return the processes that are started."""
    started: list[parts.PartProcess] = []

    class Noted(parts.PartProcess):
        def __init__(self, query: Query) -> None:
            super().__init__(query)
            started.append(self)

    monkeypatch.setattr(parts, "_MANY", 1)
    monkeypatch.setattr(parts, "_PART", 4)
    monkeypatch.setattr(parts, "usable_cores", lambda: 2)
    monkeypatch.setattr(parts, "PartProcess", Noted)
    return started


@pytest.mark.parametrize("words", FORMS)
def test_processes_print_what_one_prints(
    store: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = _printed(store, words, capsys)
    started = _use_processes(monkeypatch)
    assert _printed(store, words, capsys) == alone
    assert len(started) == 2
    assert all(process.is_alive for process in started), "this process has read what they should"


def test_parts_of_processes_that_cannot_start_are_printed(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = _printed(store, ["--csv"], capsys)
    started = _use_processes(monkeypatch)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert _printed(store, ["--csv"], capsys) == alone
    assert not any(process.is_alive for process in started)


def test_parts_of_a_process_that_is_killed_are_printed(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = _printed(store, [], capsys)
    _use_processes(monkeypatch)
    whole = parts.PartProcess.answer

    def answer(process: parts.PartProcess) -> parts.Part | None:
        found = whole(process)
        process.kill()
        return found

    monkeypatch.setattr(parts.PartProcess, "answer", answer)
    assert _printed(store, [], capsys) == alone


def test_damage_that_a_process_finds_is_reported(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    connection = sqlite3.connect(store / "events.db")
    connection.execute("UPDATE visits SET votes = votes + 1 WHERE event_id IN (3, 17)")
    connection.commit()
    connection.close()
    _use_processes(monkeypatch)
    printed, _ = _printed(store, [], capsys)
    assert printed.endswith(f"{VISITS - 2} visits.\n")
    assert "2 damaged rows are left out" in caplog.text
