"""``trailcam card``: the command, its summary, its exports, and its end by a signal."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from PIL import Image

from trailcam.main import main
from trailcam_edge.sources import DEMO_FRAMES


def _photograph(source: str, path: Path, time_text: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if time_text is not None:
        exif.get_ifd(0x8769)[0x9003] = time_text
    Image.open(DEMO_FRAMES / source).convert("RGB").save(path, "JPEG", exif=exif)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card of two stations, one photograph each, and one without a time."""
    folder = tmp_path_factory.mktemp("cards") / "card"
    _photograph("cow_1.webp", folder / "meadow/DCIM/1.jpg", "2023:05:01 06:00:00")
    _photograph("cat_1.webp", folder / "garden/1.jpg", "2023:12:01 06:00:00")
    _photograph("sheep_1.webp", folder / "garden/2.jpg", None)
    return folder


@pytest.fixture(scope="module")
def store(card: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of that card."""
    folder = tmp_path_factory.mktemp("stores") / "store"
    table = folder.parent / "stations.csv"
    table.write_text("deploymentID,latitude,longitude,camera\nmeadow,52.5,13.5,=RC-1\ngarden,52.6,13.6,\n")
    words = ["card", str(card), "--store", str(folder), "--timezone", "Europe/Berlin", "--stations", str(table)]
    assert main(words) == 0
    return folder


def test_the_summary_counts_by_station_and_label(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (card / "garden/broken.jpg").write_bytes(b"\xff\xd8nothing")
    try:
        assert main(["card", str(card), "--store", str(tmp_path / "store")]) == 1
    finally:
        (card / "garden/broken.jpg").unlink()
    printed = capsys.readouterr()
    rows = [line.split() for line in printed.out.splitlines()]
    assert rows[0] == ["station", "cat", "cow", "sheep"]
    assert rows[1:3] == [["garden", "1", "0", "1"], ["meadow", "0", "1", "0"]]
    assert printed.out.splitlines()[-3].startswith("3 files, 3 visits in")
    store = str(tmp_path / "store")
    assert printed.out.splitlines()[-2:] == [f"next: trailcam review {store}", f"      trailcam events --store {store}"]
    assert "were read in that of this computer" in printed.err
    assert ": 2;" in printed.err
    assert "their visits have none: 1." in printed.err
    assert "broken.jpg" in printed.err
    assert main(["card", str(card), "--store", str(tmp_path / "store"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["files"], record["known"], record["visits"], record["problems"]) == (0, 3, {}, [])


def test_the_csv_has_camera_station_place_and_both_times(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["events", "--store", str(store), "--csv", "--station", "meadow"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["label"], row["station"], row["camera"], row["source"]) == (
        "cow",
        "meadow",
        "'=RC-1",
        "meadow/DCIM/1.jpg",
    )
    assert (row["latitude"], row["longitude"]) == ("52.5", "13.5")
    assert (row["start"], row["start_local"]) == ("2023-05-01T04:00:00.000Z", "2023-05-01T06:00:00+02:00")
    assert main(["events", "--store", str(store), "--csv", "--label", "cat"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["start_local"] == "2023-12-01T06:00:00+01:00"
    assert main(["events", "--store", str(store), "--csv", "--label", "sheep"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["start"], row["start_local"], row["time_basis"]) == ("", "", "unknown")


def test_the_list_names_station_and_file_and_an_unknown_station_is_refused(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["events", "--store", str(store)]) == 0
    printed = capsys.readouterr().out
    assert "meadow/DCIM/1.jpg" in printed
    assert "at an unknown time" in printed
    assert printed.endswith("3 visits.\n")
    assert main(["events", "--store", str(store), "--station", "moor"]) == 1
    assert "no station moor; there are: garden, meadow" in capsys.readouterr().err


def test_options_that_mean_nothing_are_refused(card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(tmp_path / "store")]
    for words, expected in (
        ([str(card), *store, "--timezone", "Mars/Olympus"], "no time zone"),
        ([str(card), *store, "--shift=1h"], "no correction"),
        ([str(card), *store, "--sequence-gap", "25h"], "no duration"),
        ([str(card), *store, "--start", "now"], "no time"),
        ([str(card), "--store", str(card / "store")], "lies on the card"),
        ([str(card), *store, "--station", "a", "--stations", "b"], "cannot be used together"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["card", *words])
        assert caught.value.code == 2
        assert expected in capsys.readouterr().err
    assert main(["card", str(tmp_path / "gone"), *store]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_the_next_one_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    card = tmp_path / "card"
    card.mkdir()
    animal = cv2.resize(cv2.imread(str(DEMO_FRAMES / "cat_1.webp")), (640, 480))
    for picture in range(60):
        animal[:8, :8] = picture
        cv2.imwrite(str(card / f"{picture:02}.jpg"), animal)
    words = [sys.executable, "-m", "trailcam", "card", str(card), "--store", str(tmp_path / "store"), "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    pictures = tmp_path / "store" / "pictures"
    for _ in range(600):
        if pictures.is_dir() and len(list(pictures.glob("*.jpg"))) >= 2:
            break
        time.sleep(0.1)
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    first = json.loads(out)
    assert first["files"] + first["left"] == 60
    assert first["files"] >= 1
    again = subprocess.run(words, capture_output=True, env=environment, text=True, check=True)
    second = json.loads(again.stdout)
    assert (second["known"], second["files"]) == (first["files"], first["left"])
    assert sum(second["visits"]["card"].values()) == first["left"]


def test_formats_that_are_not_read_are_counted_by_suffix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card"
    card.mkdir()
    for name in ("1.CR2", "2.cr2", "3.gif"):
        (card / name).write_bytes(b"x")
    assert main(["card", str(card), "--store", str(tmp_path / "store")]) == 0
    printed = capsys.readouterr().err
    assert "2 .CR2 files were left out: " in printed
    assert "1 .GIF file was left out: " in printed
    assert main(["card", str(card), "--store", str(tmp_path / "store"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == {".CR2": 2, ".GIF": 1}
