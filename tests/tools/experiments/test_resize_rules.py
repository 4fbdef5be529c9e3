"""The comparison of resize rules, on little."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import InputSpec
from trailcam_project.experiments.resize_rules import RULES, compare_answers, main, measure_costs, read_frames

MODEL = Path(__file__).parents[2] / "core" / "fixtures" / "softmax.tflite"


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("height", "width"), [(480, 640), (97, 203), (32, 32), (20, 20)])
def test_every_rule_makes_an_input_of_one_colour_from_a_frame_of_one_colour(name: str, height: int, width: int) -> None:
    fitted = RULES[name](np.full((height, width, 3), 77, np.uint8), InputSpec(32, 32, "crop"))
    assert fitted.shape == (32, 32, 3)
    assert (fitted == 77).all()


def test_costs_are_ratios_to_the_first_rule() -> None:
    bilinear_ms, ratios = measure_costs(np.zeros((60, 80, 3), np.uint8), InputSpec(32, 32, "crop"), rounds=3)
    assert bilinear_ms > 0
    assert list(ratios) == list(RULES)
    assert ratios["bilinear"] == 1.0


def test_answers_of_plain_colours_neither_change_nor_flip() -> None:
    images = [np.full((60, 80, 3), colour, np.uint8) for colour in ((230, 0, 0), (0, 230, 0))]
    found = compare_answers(TFLiteModel(MODEL), images)
    assert all((answers.changed, answers.flipped) == (0, 0) for answers in found.values())


def test_a_fine_pattern_deceives_only_the_rule_that_aliases() -> None:
    stripes = np.zeros((128, 140, 3), np.uint8)  # on the whole more blue than red
    stripes[:, 1::4, 0] = stripes[:, 2::4, 0] = 160  # plain bilinear sees only these columns
    stripes[:, 0::4, 2] = stripes[:, 3::4, 2] = 255
    found = compare_answers(TFLiteModel(MODEL), [stripes])
    assert (found["bilinear"].changed, found["bilinear"].flipped) == (1, 1)
    assert (found["halve"].changed, found["halve"].flipped) == (0, 0)
    assert (found["whole_factor"].changed, found["whole_factor"].flipped) == (0, 0)


def test_small_pictures_are_enlarged_and_the_table_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((100, 160, 3), 50 * number, np.uint8))
    frames = read_frames(tmp_path, limit=2)
    assert [frame.shape for frame in frames] == [(480, 768, 3)] * 2
    threads = cv2.getNumThreads()
    try:
        assert main(["--model", str(MODEL), "--frames", str(tmp_path), "--rounds", "1", "--limit", "1"]) == 0
    finally:
        cv2.setNumThreads(threads)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| 640x480 | ") for line in lines) == 3
    assert any(line.startswith(f"| {tmp_path.name} | 1 | 8 | softmax | ") for line in lines)


def test_a_folder_without_pictures_is_our_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(MODEL), "--frames", str(tmp_path), "--rounds", "1"]) == 1
    assert "holds no picture" in capsys.readouterr().err
