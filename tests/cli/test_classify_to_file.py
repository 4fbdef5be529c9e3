"""``trailcam classify --out``: every form, an ecologist's card, signals."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_edge.sources import DEMO_FRAMES

_FILES = 100
_GROWN_BYTES = 34_000  # the journal is empty below it


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four demo frames below two stations, a broken file and a text."""
    card = tmp_path_factory.mktemp("card")
    frames = sorted(DEMO_FRAMES.glob("*.webp"))
    for number, frame in enumerate(frames[:4]):
        (card / f"station{number % 2}").mkdir(exist_ok=True)
        (card / f"station{number % 2}" / f"{number}.webp").write_bytes(frame.read_bytes())
    (card / "station0" / "broken.jpg").write_bytes(b"no picture")
    (card / "notes.txt").write_text("north of the river")
    return card


def test_a_card_becomes_rows_in_every_form(card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "rows.csv"
    assert main(["classify", str(card), "--out", str(table), "--jobs", "2"]) == 1
    printed = capsys.readouterr().out
    assert "rows.csv: 5 files" in printed
    assert "1 of 5 files could not be read" in printed
    assert "skipped 1 other file: 1 .txt" in printed
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["Station"], row["File"]) for row in rows] == [
        ("station0", "0.webp"), ("station0", "2.webp"), ("station0", "broken.jpg"), ("station1", "1.webp"),
        ("station1", "3.webp"),
    ]  # fmt: skip
    assert all(float(row["Score"]) and float(row["ScoreLimit"]) for row in rows if not row["Error"])
    assert [bool(row["Error"]) for row in rows] == [False, False, True, False, False]

    # The journal of the table serves the other forms as well.
    for name in ("rows.jsonl", "rows.json"):
        (tmp_path / f"{name}.journal").write_bytes((tmp_path / "rows.csv.journal").read_bytes())
        assert main(["classify", str(card), "--out", str(tmp_path / name), "--jobs", "1"]) == 1
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [line["Species"] for line in lines] == [row["Species"] or None for row in rows]
    document = json.loads((tmp_path / "rows.json").read_text())
    assert [image["file"] for image in document["images"]][:2] == ["station0/0.webp", "station0/2.webp"]
    assert document["images"][2]["failure"]

    assert (
        main(["classify", str(card), "--out", str(table), "--sort-into", str(tmp_path / "by"), "--threshold", "99"])
        == 1
    )
    assert len(list((tmp_path / "by" / "unknown").rglob("*.webp"))) == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_stops_a_job_that_then_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    frame = min(DEMO_FRAMES.glob("*.webp"))
    (tmp_path / "card").mkdir()
    for index in range(_FILES):
        (tmp_path / "card" / f"{index:03}.webp").symlink_to(frame)
    output = tmp_path / "rows.csv"
    command = [
        sys.executable,
        "-m",
        "trailcam",
        "classify",
        str(tmp_path / "card"),
        "--out",
        str(output),
        "--jobs",
        "2",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    journal = tmp_path / "rows.csv.journal-wal"
    deadline_s = time.monotonic() + 120
    while time.monotonic() < deadline_s and not (journal.exists() and journal.stat().st_size > _GROWN_BYTES):
        time.sleep(0.02)
    process.send_signal(number)
    printed = process.communicate(timeout=60)[1].decode()
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "The same command goes on" in printed
    assert not output.exists()
    done = subprocess.run(command, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "of them before" in done.stdout.decode()
    with open(output, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["File"] for row in rows] == [f"{index:03}.webp" for index in range(_FILES)]
    assert len({row["Score"] for row in rows}) == 1


def test_a_name_that_is_not_utf8_has_a_row(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    try:
        (tmp_path / "card" / os.fsdecode(b"\xff.webp")).symlink_to(min(DEMO_FRAMES.glob("*.webp")))
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    assert main(["classify", str(tmp_path / "card"), "--out", str(tmp_path / "rows.csv"), "--jobs", "1"]) == 0
    with open(tmp_path / "rows.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["File"], row["Error"]) == ("\\xff.webp", "")


@pytest.mark.parametrize(
    "option",
    [
        ["--jobs", "2"],
        ["--boxes", "x.json"],
        ["--threshold", "2"],
        ["--ray", "auto"],
        ["--out", "x.csv", "--threads", "2"],
        ["--out", "x.csv", "--shard", "3/2"],
        ["--out", "x.csv", "--json"],
    ],
)
def test_options_of_a_file_need_a_file_and_those_of_print_do_not(option: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["classify", "x.jpg", *option])
    assert stopped.value.code == 2
