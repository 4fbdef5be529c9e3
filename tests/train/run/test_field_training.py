"""From photographs and negatives to a run that states its field figures, through the command line."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam_core.datasets.run_directory import read_run

pytestmark = pytest.mark.usefixtures("eager")

TINY = ["--recipe", "cnn", "--set", "input.height=32", "--set", "input.width=32", "--set", "phases.all.epochs=1"]


def _photo(path: Path, seed: int, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(60, 200, (7, 9, 3), np.uint8)
    image = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    cv2.ellipse(image, (80, 60), (40, 30), float(seed * 20 % 180), 0, 360, colour, -1)
    assert cv2.imwrite(str(path), image)


def test_a_training_with_negatives_states_its_views_in_metrics_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        _photo(tmp_path / "data" / "red" / f"{number}.png", number, (20, 20, 230))
        _photo(tmp_path / "data" / "blue" / f"{number}.png", 100 + number, (230, 20, 20))
    for number in range(4):
        coarse = np.random.default_rng(number).integers(0, 256, (9, 16, 3), np.uint8)
        place = tmp_path / "negatives" / f"place{number}"
        place.mkdir(parents=True)
        assert cv2.imwrite(str(place / "a.jpg"), cv2.resize(coarse, (800, 450), interpolation=cv2.INTER_CUBIC))
        _photo(tmp_path / "negatives" / "animals" / f"kind{number}" / "b.png", 200 + number, (20, 230, 230))
    words = ["train", str(tmp_path / "data"), *TINY, "--runs", str(tmp_path / "runs"), "--name", "field"]
    assert main([*words, "--negatives", str(tmp_path / "negatives")]) == 0
    run = read_run(tmp_path / "runs" / "field")
    assert (run.blank_labels, run.unknown_labels) == (("nothing",), ("other animal",))
    rows = {row["name"]: row for row in run.metrics["field"]["rows"]}
    tested = [row for row in run.pictures("test") if row.label in ("red", "blue")]
    assert rows["photographs"]["n"] + rows["device crops"]["n"] == len(tested)
    assert {"other animals: photographs", "nothing: whole pictures", "nothing: crops"} <= set(rows)
    assert rows["nothing: crops"]["right"] is None
    assert run.metrics["reject"]["n_animals"] == len(tested)
    assert run.metrics["reject"]["n_others"] == len(run.pictures("test")) - len(tested)
    assert json.loads((tmp_path / "runs" / "field.data" / "groups.json").read_text())
    assert "In the field" in (run.path / "report.html").read_text(encoding="utf-8")
    assert f"of {len(tested)} animals keep their answer" in capsys.readouterr().out
