"""Closed pipes, closed streams, names and passwords: what the command line writes, whatever it is given."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from trailcam.help.parser import SafeParser
from trailcam.json_records import json_line
from trailcam.logs import mask_tracebacks
from trailcam.main import main
from trailcam_edge.sources import DEMO_FRAMES

TRAILCAM = [sys.executable, "-m", "trailcam"]
PICTURE = min(DEMO_FRAMES.glob("*.webp"))


@pytest.mark.parametrize("words", [["--help"], ["classify", "--help"], ["inspect"], ["classify", str(PICTURE)]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_ends_a_command_without_a_word(words: list[str], unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([*TRAILCAM, *words], stdout=writer, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["classify", "--help"], ["inspect"]])
def test_a_result_for_which_the_disk_has_no_room_is_one_error(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*TRAILCAM, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "trailcam: the disk is full. Free some space and run the command again.\n"


@pytest.mark.parametrize(("closed", "status"), [("2>&-", 0), ("<&-", 0), ("<&- 2>&-", 0), (">&- 2>&- <&-", 0)])
def test_closed_streams_change_nothing(closed: str, status: int) -> None:
    script = f'"$0" -m trailcam inspect {closed}'
    done = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, text=True)
    assert done.returncode == status
    assert ("animals10" in done.stdout) == (">&- 2" not in closed)


def test_an_error_is_no_result_where_stderr_is_closed() -> None:
    script = '"$0" -m trailcam classify /nowhere.jpg 2>&-'
    done = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_names_of_frames_do_not_steer_the_terminal(tmp_path: Path, form: list[str]) -> None:
    names = [b"f\xfcchs.webp", b"a\x1b[31mred.webp", b"b\xc2\x9b2J.webp"]
    for name in names:
        shutil.copyfile(PICTURE, tmp_path / os.fsdecode(name))
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(
        [*TRAILCAM, "watch", "--source", str(tmp_path), *form], capture_output=True, env=environment, check=True
    )
    printed = done.stdout.decode("utf-8")
    assert "\x1b" not in printed
    assert "\x9b" not in printed
    if form:
        found = [json.loads(line)["frame"] for line in printed.splitlines()]
        assert len(found) == 3
        assert "b\x9b2J.webp" in found
    else:
        assert r"f\xfcchs.webp" in printed


def test_a_line_of_json_is_read_back_and_has_no_character_that_steers() -> None:
    record = {"label": "\x1b\x9b\u202e\udcfc\u2028fox ü"}
    line = json_line(record)
    assert line.isprintable()
    assert "ü" in line
    assert json.loads(line) == record


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://admin:SEC#RET@127.0.0.1:9/live",
        "rtsp://admin:SEC/RET@127.0.0.1:9/live",
        "rtsp://admin:SEC@RET@127.0.0.1:9/live",
        "http://127.0.0.1:9/x?key=SECRET",
        "rtmp://admin:SECRET@127.0.0.1/live",
        "admin:SECRET@127.0.0.1/live",
        "rtsp:/admin:SECRET@127.0.0.1/live",
    ],
)
def test_no_message_about_a_camera_shows_its_password(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--source", address]) == 1
    printed = "".join(capsys.readouterr())
    assert "SEC" not in printed
    assert "RET" not in printed
    assert ("%23" in printed) == ("#" in address or "/RET" in address or "@RET" in address)


def test_usage_errors_and_tracebacks_show_no_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["watch", "rtsp://a:SECRET@h/"], ["watch", "--rotate", "http://h/?k=SECRET"], ["http://a:SECRET@h"]):
        try:
            status = main(words)
        except SystemExit as stopped:
            status = stopped.code
        assert status == 2
    with pytest.raises(SystemExit):
        SafeParser(prog="x").error("rtsp://a:SECRET@h/")
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    mask_tracebacks()
    error = ValueError("http://a:SECRET@h/ failed")
    sys.excepthook(ValueError, error, None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))
    printed = capsys.readouterr().err
    assert "SECRET" not in printed
    assert printed.count("ValueError: http://a:***@h/ failed") == 2
