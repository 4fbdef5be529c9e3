"""The measurement of the training input, on pictures that take no time."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_project.experiments.training_input import WAYS, main, measure


@pytest.fixture
def data(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    for label in ("fox", "hare"):
        (tmp_path / label).mkdir()
        for number in range(3):
            assert cv2.imwrite(str(tmp_path / label / f"{number}.jpg"), chance.integers(0, 256, (40, 40, 3), np.uint8))
    return tmp_path


def test_every_way_is_timed_and_the_larger_batches_give_the_higher_rate() -> None:
    rates = measure({"slow": itertools.repeat(1), "fast": itertools.repeat(1000)}, seconds=0.01, rounds=3)
    assert rates["fast"] > 10 * rates["slow"] > 0


def test_our_way_runs_for_ever_and_is_printed_per_size(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main([str(data), "--ways", "trailcam", "--px", "16", "24", "--seconds", "0.05", "--rounds", "1", "--json"]) == 0
    )
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(rates) for rates in found] == [["px", "trailcam"]] * 2
    assert [rates["px"] for rates in found] == [16, 24]
    assert all(rates["trailcam"] > 0 for rates in found)


def test_the_ratio_to_the_articles_way_stands_beside_the_rates(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WAYS, "article", lambda data, side_px: itertools.repeat(1))
    words = [str(data), "--ways", "trailcam", "article", "--px", "16", "--seconds", "0.05", "--rounds", "1"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trailcam x article"] == found["trailcam"] / found["article"]
    assert main(words) == 0
    ours, article = capsys.readouterr().out.splitlines()
    assert ours.endswith("times the article's way")
    assert article.endswith("pictures/s")


def test_what_a_loader_prints_is_no_result(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def chatty(data: Path, side_px: int) -> Iterator[int]:
        print("Found 6 images belonging to 2 classes.")
        yield from itertools.repeat(1)

    monkeypatch.setitem(WAYS, "trailcam", chatty)
    assert main([str(data), "--ways", "trailcam", "--px", "16", "--seconds", "0", "--rounds", "1", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["px"] == 16
    assert "Found 6 images" in shown.err


def test_a_folder_without_pictures_is_an_error_not_a_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--ways", "trailcam"]) == 1
    assert "holds no picture" in capsys.readouterr().err
