"""Files that kill their reader, and names that are no plain text: each command says so in one line."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from trailcam.main import main
from trailcam.streams import csv_text
from trailcam_core.files.names import printable
from trailcam_edge.sources import DEMO_FRAMES

_FIXTURES = Path(__file__).parents[1] / "core" / "fixtures"
_CHANGES = {1480: 0, 1481: 0, 1482: 1, 1483: 0}  # see tests/core/inference/test_first_opening.py
PHOTO = DEMO_FRAMES / "cat_1.webp"


def _aborting() -> bytes:
    content = bytearray((_FIXTURES / "uint8_logits.tflite").read_bytes())
    for place, value in _CHANGES.items():
        content[place] = value
    return bytes(content)


def _run(*words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "trailcam", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


@pytest.mark.parametrize(
    "words", [["classify", str(PHOTO)], ["watch", "--source", str(PHOTO.parent)]], ids=["classify", "watch"]
)
def test_a_bare_model_that_aborts_the_interpreter_ends_no_command_in_silence(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.tflite").write_bytes(_aborting())
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    done = _run(*words, "--model", str(tmp_path / "bad.tflite"), "--labels", str(tmp_path / "labels.txt"))
    assert done.returncode == 1
    assert "bad.tflite: the model made the interpreter abort (SIGABRT)" in done.stderr


@pytest.mark.parametrize("command", ["inspect", "classify", "watch", "benchmark"])
def test_a_bundle_that_aborts_the_interpreter_ends_no_command_in_silence(
    command: str, tmp_path: Path, pristine_bundle: Path, replace_file: Any
) -> None:
    bundle = Path(shutil.copytree(pristine_bundle, tmp_path / "bad.bundle"))
    replace_file(bundle, "model", _aborting())
    words = {
        "inspect": [str(bundle)],
        "classify": [str(PHOTO), "--bundle", str(bundle)],
        "watch": ["--source", str(PHOTO.parent), "--bundle", str(bundle)],
        "benchmark": [str(bundle), "--field", str(PHOTO.parent), str(tmp_path)],
    }[command]
    done = _run(command, *words)
    assert done.returncode == 1
    assert "the model made the interpreter abort (SIGABRT)" in done.stderr


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder of photographs whose names are no plain text; ``z.webp`` comes last."""
    folder = tmp_path / "strange"
    folder.mkdir()
    for name in (b"=cmd.webp", b"a\x1b[31mred\nline2.webp", b"f\xfcchs.webp", "گربه‌سان.webp".encode(), b"z.webp"):
        shutil.copy(PHOTO, os.fsencode(folder) + b"/" + name)
    return folder


def test_every_form_prints_every_name_without_steering_the_terminal(strange: Path) -> None:
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict", "PYTHONUTF8": "0"}
    done = _run("classify", ".", cwd=strange, env=strict)
    assert done.returncode == 0, done.stderr
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        "=cmd.webp",
        "a\\x1b[31mred\\nline2.webp",
        "f\\xfcchs.webp",
        "z.webp",
        "گربه\u200cسان.webp",  # noqa: RUF001
    ]
    done = _run("classify", ".", "--csv", cwd=strange, env=strict)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["path"] for row in rows][:3] == ["'=cmd.webp", "a\\x1b[31mred\\nline2.webp", "f\\xfcchs.webp"]
    for words in (["classify", ".", "--json"], ["watch", "--source", ".", "--json"]):
        done = _run(*words, cwd=strange, env=strict)
        assert done.returncode == 0, done.stderr
        records = [json.loads(line) for line in done.stdout.splitlines()]
        names = [record.get("path") or record["frame"] for record in records]
        assert [os.fsencode(name) for name in names[1:3]] == [b"a\x1b[31mred\nline2.webp", b"f\xfcchs.webp"]


def test_json_is_valid_where_the_terminal_has_few_characters(strange: Path) -> None:
    done = _run("classify", ".", "--json", cwd=strange, env={**os.environ, "PYTHONIOENCODING": "ascii:strict"})
    assert json.loads(done.stdout.splitlines()[-1])["path"] == "گربه\u200cسان.webp"  # noqa: RUF001


def test_an_error_does_not_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(tmp_path / "a\x1b[2Jb.jpg")]) == 1
    assert main(["inspect", str(tmp_path / "a\x1b[2Jb")]) == 1
    printed = capsys.readouterr().err
    assert "\x1b" not in printed
    assert printed.count("a\\x1b[2Jb") >= 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_spreadsheet_takes_no_text_for_a_formula(text: str) -> None:
    assert csv_text(text)[0] in ("'", "\\")


def test_plain_text_stays_as_it_is() -> None:
    for text in ("cat", "Bär.jpg", "گربه\u200cسان", "a-b=c"):  # noqa: RUF001
        assert csv_text(text) == printable(text) == text


@pytest.mark.parametrize("words", [["--help"], ["classify", "--help"], ["inspect"], ["classify", str(PHOTO)]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_is_gone_leaves_no_words(words: list[str], unbuffered: str) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "trailcam", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode in ({1, 0} if "--help" in words else {1})  # argparse ignores it where nothing is buffered


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "2>&- <&-"])
def test_closed_streams_change_no_result(closed: str) -> None:
    command = f'"{sys.executable}" -m trailcam classify "{PHOTO}" --json {closed}'
    done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["label"] == "cat"


@pytest.mark.parametrize("words", [["classify", "x"], ["watch", "--source", "demo:loop"], ["data", "check", "x"]])
def test_ctrl_c_while_a_command_is_imported_is_one_line(words: list[str]) -> None:
    code = (
        "import os, signal, sys, threading\n"
        "import trailcam.main as front_door\n"
        "def press(name, *rest):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return load(name, *rest)\n"
        "load, front_door.importlib.import_module = front_door.importlib.import_module, press\n"
        "sys.exit(front_door.main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "trailcam: interrupted.")


def test_ctrl_c_while_a_running_command_imports_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from trailcam.commands import classify

    def run(arguments: object) -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error
        return 0

    monkeypatch.setattr(classify, "run", run)
    assert main(["classify", "x"]) == 130
    assert capsys.readouterr().err.strip() == "trailcam: interrupted."
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("ignored", [False, True])
def test_sigterm_ends_a_running_command_as_ctrl_c_does_and_then_by_the_signal(ignored: bool, tmp_path: Path) -> None:
    """Also in the background of a script, whose shell lets it ignore Ctrl-C."""
    left = tmp_path / "left"
    code = (
        "import os, pathlib, signal, sys, time\n"
        "import trailcam.main as front_door\n"
        "from trailcam.commands import classify\n"
        "def work(arguments):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(5)\n"
        "    finally:\n"
        f"        pathlib.Path({str(left)!r}).write_text('tidied')\n"
        "classify.run = work\n"
        f"{'signal.signal(signal.SIGINT, signal.SIG_IGN)' if ignored else ''}\n"
        "sys.exit(front_door.main(['classify', 'x']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.strip()) == (-signal.SIGTERM, "trailcam: ended by SIGTERM.")
    assert left.read_text() == "tidied"
