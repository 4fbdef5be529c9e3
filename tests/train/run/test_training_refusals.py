"""Folders and options with which no training begins."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from trailcam.main import main


def _words(data: Path, root: Path, *more: str) -> list[str]:
    return ["train", str(data), "--recipe", "cnn", "--runs", str(root / "runs"), "--name", "run", *more]


def _empty(data: Path, photos: Path) -> None:
    data.mkdir()


def _one_class(data: Path, photos: Path) -> None:
    shutil.copytree(photos / "red", data / "red")


def _one_picture(data: Path, photos: Path) -> None:
    shutil.copytree(photos, data)
    (data / "owl").mkdir()
    shutil.copy(photos / "red" / "0.jpg", data / "owl" / "0.jpg")


def _many_broken(data: Path, photos: Path) -> None:
    shutil.copytree(photos, data)
    for number in range(3):
        (data / "red" / f"{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_empty, "is empty"),
        (_one_class, "only one class"),
        (_one_picture, "owl (1)"),
        (_many_broken, "trailcam data check"),
    ],
)
def test_data_that_cannot_be_used_is_refused_and_nothing_is_written(
    prepare: Callable[[Path, Path], None],
    message: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare(tmp_path / "data", photos)

    assert main(_words(tmp_path / "data", tmp_path)) == 1

    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--split", "nowhere.csv"], "nowhere.csv"),
        (["--set", "epochs=3"], "phases.all.epochs"),
        (["--name", "../run"], "plain name"),
        (["--teacher", "nowhere"], "not a finished run"),
        (["--set", "outliers_weight=0.5"], "--others DIR"),
        (["--others", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_options_that_cannot_work_are_refused_and_nothing_is_written(
    more: list[str], message: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_words(photos, tmp_path, *more)) == 1

    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
