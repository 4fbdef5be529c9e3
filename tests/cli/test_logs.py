"""Log messages on stderr: level, and the priority that the journal reads."""

import argparse
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trailcam.logs import add_logging_arguments, configure_logging, journal_prefix

LOG = logging.getLogger("trailcam_edge.test")


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Leave the loggers as they were."""
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in ("trailcam_core", "trailcam_edge")]
    yield
    for logger, level in before:
        logger.setLevel(level)


def configure(*words: str) -> None:
    parser = argparse.ArgumentParser()
    add_logging_arguments(parser)
    configure_logging(parser.parse_args(words))


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ((), ["trailcam: info", "trailcam: warning"]),
        (("-q",), ["trailcam: warning"]),
        (("-v",), ["trailcam: debug", "trailcam: info", "trailcam: warning"]),
    ],
)
def test_the_options_choose_the_level(
    words: tuple[str, ...], printed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # a second command does not print twice
        configure(*words)
    LOG.debug("debug")
    LOG.info("info")
    LOG.warning("warning")
    assert capsys.readouterr().err.splitlines() == printed


def test_in_the_journal_each_line_has_its_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure("-v")
    with open(tmp_path / "journal", "w+", encoding="utf-8") as journal:
        state = os.fstat(journal.fileno())
        monkeypatch.setattr(sys, "stderr", journal)
        monkeypatch.setenv("JOURNAL_STREAM", f"{state.st_dev}:{state.st_ino}")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            LOG.log(level, "message")
        journal.seek(0)
        assert [line[:12] for line in journal] == [f"<{number}>trailcam:" for number in (7, 6, 4, 3, 3)]


def test_elsewhere_there_is_no_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")  # that of a parent, whose stderr is not ours
    assert journal_prefix(logging.ERROR) == ""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert journal_prefix(logging.ERROR) == ""
