import csv
import errno
import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam_core.errors import DataError
from trailcam_train.data import animals10 as fetch
from trailcam_train.data.animals10 import fetch_animals10, kaggle_download
from trailcam_train.data.class_names import ANIMALS10
from trailcam_train.data.data_check import DataCheck, check_data
from trailcam_train.data.dataset import survey_dataset
from trailcam_train.data.near_duplicates import find_duplicates
from trailcam_train.data.quarantine import JOURNAL, Move, move_files, plan_moves, restore_files
from trailcam_train.reports.data_check_report import render_html, render_text

from ...html_pages import HtmlPage


def _write(path: Path, seed: int, width: int = 120, height: int = 90) -> None:
    """Write a picture with detail at every scale, as photographs have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    scene = np.full((height, width, 3), 120, np.float32)
    for cells in (3, 6, 12, 24):
        grid = chance.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        scene += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 90 / cells**0.5
    assert cv2.imwrite(str(path), np.clip(scene, 0, 255).astype(np.uint8))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Foxes and hares with one of every fault."""
    root = tmp_path / "data"
    for number in range(20):
        _write(root / ("fox" if number < 4 else "hare") / f"{number:02}.png", number)
    (root / "fox/notes.txt").write_text("x")
    (root / "hare/broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    (root / "hare/same.png").write_bytes((root / "hare/05.png").read_bytes())
    (root / "hare/fox-too.png").write_bytes((root / "fox/01.png").read_bytes())
    _write(root / "hare/small <b>.png", 50, 40, 60)
    _write(root / "hare/long.png", 51, 400, 90)
    return root


def _check(root: Path) -> DataCheck:
    dataset = survey_dataset(root)
    return check_data(dataset, find_duplicates(dataset))


def test_every_fault_is_found(data: Path) -> None:
    check = _check(data)
    assert [(item.label, item.pictures, item.scenes) for item in check.classes] == [("fox", 4, 4), ("hare", 20, 19)]
    assert [item.file for item in check.unreadable] == ["hare/broken.jpg"]
    assert check.odd == ("fox/notes.txt",)
    assert check.small == ("hare/small <b>.png",)
    assert check.extreme == ("hare/long.png",)
    crossing, within = check.copies
    assert crossing.crosses_classes
    assert dict(zip(crossing.files, crossing.labels, strict=True)) == {"fox/01.png": "fox", "hare/fox-too.png": "hare"}
    assert within.files == ("hare/05.png", "hare/same.png")
    assert within.exact
    assert check.problems == ()
    assert check.width_px is not None
    assert (check.width_px.minimum, check.width_px.median, check.width_px.maximum) == (40, 120, 400)
    notes = "\n".join(check.notes)
    for words in (
        "1 files do not decode",
        "more than one label",
        "fewer than 50 scenes of fox, hare",
        "4.8 times as many",
    ):
        assert words in notes


def test_copies_do_not_make_a_tiny_class_large_enough(data: Path) -> None:
    for number in range(6):
        (data / "owl").mkdir(exist_ok=True)
        (data / f"owl/{number}.png").write_bytes((data / f"hare/{10 + number % 2}.png").read_bytes())
    (problem,) = _check(data).problems
    assert problem.startswith("owl: 6 readable pictures of 2 different scenes, expected at least 3")


def test_a_folder_of_broken_files_can_still_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "fox").mkdir()
    (tmp_path / "fox/a.jpg").write_bytes(b"x")
    check = _check(tmp_path)
    assert check.width_px is None
    assert len(check.problems) == 2
    assert "PROBLEM" in render_text(check)
    assert "Problems" in render_html(check)


def test_the_page_holds_its_pictures_loads_nothing_and_escapes_names(data: Path) -> None:
    page = HtmlPage(render_html(_check(data)))
    page.assert_stands_alone()
    assert page.tags["img"] == 6  # two groups of two, one small, one long
    assert "small <b>.png" in page.texts
    assert page.tags["b"] == 0


def test_the_command_prints_a_table_and_changes_nothing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(data.rglob("*"))
    assert main(["data", "check", str(data)]) == 0
    out = capsys.readouterr().out
    assert "24 pictures in 2 classes" in out
    assert re.search(r"^hare +20 +83\.3% +19$", out, re.MULTILINE)
    assert "hare/broken.jpg: " in out
    assert sorted(data.rglob("*")) == before


def test_the_command_gives_json_and_a_page(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "check.html"
    assert main(["data", "check", str(data), "--json", "--report", str(page)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["pictures"] == 24
    assert record["copies"][0]["crosses_classes"] is True
    assert record["unreadable"][0]["file"] == "hare/broken.jpg"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_command_exits_with_3_when_a_training_would_refuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path / "fox/a.png", 0)
    assert main(["data", "check", str(tmp_path)]) == 3
    assert "only one class" in capsys.readouterr().out
    assert main(["data", "check", str(tmp_path / "nothing")]) == 1


def test_italian_folders_are_shown_in_english_and_the_person_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        _write(tmp_path / ("cane" if number % 2 else "gatto") / f"{number}.png", number)
    assert main(["data", "check", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert "dog" in shown.out
    assert "Animals-10" in shown.err
    assert main(["data", "check", str(tmp_path), "--label-map", "none"]) == 0
    assert "dog" not in capsys.readouterr().out


def test_quarantine_moves_broken_files_and_needless_copies_and_can_be_taken_back(data: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    folder = tmp_path / "quarantine"
    assert main(["data", "check", str(data), "--quarantine", str(folder)]) == 0
    gone = set(before) - set(data.rglob("*"))
    # The copy across classes stays: only a person can say which label is right.
    assert gone == {data / "hare/broken.jpg", data / "hare/same.png"}
    rows = list(csv.DictReader((folder / JOURNAL).read_text(encoding="utf-8").splitlines()))
    assert [row["file"] for row in rows] == ["hare/broken.jpg", "hare/same.png"]
    assert rows[1]["reason"] == "the same file as hare/05.png"
    assert main(["data", "restore", str(folder)]) == 0
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    assert restore_files(folder) == ()


def test_quarantine_inside_the_data_or_over_other_files_is_refused_before_anything_moves(
    data: Path, tmp_path: Path
) -> None:
    moves = plan_moves(survey_dataset(data))
    with pytest.raises(DataError, match="lies in the data folder"):
        move_files(data, moves, data / "quarantine")
    (tmp_path / "q/hare").mkdir(parents=True)
    (tmp_path / "q/hare/same.png").write_bytes(b"older")
    with pytest.raises(DataError, match="is in quarantine already"):
        move_files(data, moves, tmp_path / "q")
    assert (data / "hare/broken.jpg").exists()


def test_a_move_that_fails_half_way_is_in_the_journal_and_can_be_taken_back(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        move_files(data, [Move("hare/same.png", "copy"), Move("hare/never.png", "?")], tmp_path / "q")
    assert restore_files(tmp_path / "q") == ((data / "hare/same.png").resolve(),)
    assert (data / "hare/same.png").exists()


def test_restoring_does_not_overwrite_and_needs_a_journal(data: Path, tmp_path: Path) -> None:
    move_files(data, [Move("hare/same.png", "copy")], tmp_path / "q")
    (data / "hare/same.png").write_bytes(b"new")
    with pytest.raises(DataError, match="another file has this path"):
        restore_files(tmp_path / "q")
    with pytest.raises(DataError, match=r"Name a folder that .--quarantine. made"):
        restore_files(data)


@pytest.mark.parametrize("line", ["../../x.png,/etc/x,why", "/x.png,/x,why", "a.png,b"])
def test_a_damaged_journal_moves_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / JOURNAL).write_text(f"file,from,reason\n{line}\n")
    with pytest.raises(DataError, match="line 2 is damaged"):
        restore_files(tmp_path)


def _download(folder: Path) -> Path:
    """Give what the download unpacks to: the class folders lie deeper, beside a script."""
    for number, name in enumerate(ANIMALS10):
        for picture in range(3):
            _write(folder / "raw-img" / name / f"{picture}.png", 3 * number + picture, 40, 30)
    (folder / "translate.py").write_text("")
    return folder


def test_a_download_is_put_in_place_checked_and_mapped(tmp_path: Path) -> None:
    target = tmp_path / "animals10"
    dataset = fetch_animals10(target, lambda: _download(tmp_path / "cache"), published=30)
    assert dataset.labels == tuple(sorted(ANIMALS10.values()))
    assert len(dataset.pictures) == 30
    assert sorted(item.name for item in target.iterdir()) == sorted(ANIMALS10)


def test_what_is_not_animals10_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with pytest.raises(DataError, match="has no folders cane"):
        fetch_animals10(tmp_path / "animals10", lambda: tmp_path / "cache")
    assert not (tmp_path / "animals10").exists()


def test_half_a_download_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"30 files, expected 26,179.*Remove that folder"):
        fetch_animals10(tmp_path / "animals10", lambda: _download(tmp_path / "cache"))
    assert not (tmp_path / "animals10").exists()


def test_a_disk_that_fills_up_ends_the_copy_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fetch_animals10(tmp_path / "animals10", lambda: _download(tmp_path / "cache"), published=30)
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "animals10").exists()


def test_an_existing_folder_is_not_downloaded_over(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="exists already"):
        fetch_animals10(tmp_path, lambda: pytest.fail("downloaded"))


def _install_hub(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Put a kagglehub into place whose download fails."""

    def dataset_download(handle: str) -> str:
        assert handle == fetch.ANIMALS10_HANDLE
        raise error

    names = ("BackendError", "CredentialError", "DataCorruptionError", "NotFoundError", "UnauthenticatedError")
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=dataset_download))
    monkeypatch.setitem(sys.modules, "kagglehub.exceptions", SimpleNamespace(**dict.fromkeys(names, KeyError)))


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ConnectionError("no route to host"), r"ConnectionError: no route to host"),
        (KeyError("403 Client Error"), "403 Client Error"),
    ],
)
def test_without_network_or_access_the_manual_way_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, error: Exception, shown: str
) -> None:
    _install_hub(monkeypatch, error)
    assert main(["data", "fetch", "animals10", "--to", str(tmp_path / "a")]) == 1
    message = capsys.readouterr().err
    assert shown in message
    assert fetch.ANIMALS10_PAGE in message
    assert "raw-img" in message


def test_a_full_disk_is_not_called_a_network_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _install_hub(monkeypatch, OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        kaggle_download()


def test_without_the_package_its_installation_and_the_manual_way_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DataError, match=r"pip install .*\[data\].*By hand"):
        kaggle_download()
