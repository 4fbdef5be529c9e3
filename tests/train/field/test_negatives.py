from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.errors import DataError
from trailcam_core.images.resize import Image
from trailcam_core.inference.decision import Candidate, Decision
from trailcam_train.field.negatives import (
    NOTHING,
    OTHER_ANIMAL,
    check_scenes,
    describe_suspects,
    find_negatives,
    find_suspects,
    split_groups,
)


def _write(path: Path, seed: int, shift: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    scene = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    assert cv2.imwrite(str(path), np.roll(scene, shift, axis=1))


def test_kinds_are_other_animals_and_everything_else_is_nothing(tmp_path: Path) -> None:
    for number, name in enumerate(["animals/fox/a.png", "animals/owl.png", "meadow/b.png", "c.png"]):
        _write(tmp_path / name, number)
    (tmp_path / "meadow" / "notes.txt").write_text("no picture")
    found = {item.path.name: (item.label, item.group) for item in find_negatives(tmp_path)}
    assert found == {
        "a.png": (OTHER_ANIMAL, "animals/fox"),
        "owl.png": (OTHER_ANIMAL, "animals/owl"),
        "b.png": (NOTHING, "meadow"),
        "c.png": (NOTHING, "c"),
    }


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_negatives(tmp_path / "none")
    with pytest.raises(DataError, match="no picture in it"):
        find_negatives(tmp_path)


def test_negatives_of_one_scene_are_refused_and_of_many_are_counted(tmp_path: Path) -> None:
    for number in range(8):
        _write(tmp_path / "one" / "site" / f"{number}.png", 0, shift=number % 3)
        _write(tmp_path / "many" / "sites" / f"{number}.png", number)
    with pytest.raises(DataError, match=r"show 1 scene\(s\), expected at least 3"):
        check_scenes(find_negatives(tmp_path / "one"))
    assert check_scenes(find_negatives(tmp_path / "many")) >= 6


def test_negatives_that_none_can_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="can be read"):
        check_scenes(find_negatives(tmp_path))


def test_negatives_that_a_bundle_names_are_listed_most_confident_first(tmp_path: Path) -> None:
    for number in range(4):
        _write(tmp_path / "sites" / f"{number}.png", number)
    _write(tmp_path / "animals" / "fox" / "9.png", 9)
    answers = iter([("cow", 0.93), (None, 0.99), ("sheep", 0.99), ("dog", 0.5)])

    def classify(_: Image) -> Decision:
        label, confidence = next(answers)
        return Decision(label, confidence, (Candidate(label or "dog", confidence),))

    found = find_suspects(find_negatives(tmp_path), classify)
    assert [(item.path.name, item.label) for item in found] == [("2.png", "sheep"), ("0.png", "cow")]
    assert "2 negatives" in describe_suspects(found)
    assert "2.png (sheep 0.99)" in describe_suspects(found)
    assert describe_suspects(()) == ""


def test_groups_are_divided_apart_and_a_single_one_is_trained_on() -> None:
    names = [f"animals/{number}" for number in range(20)] + [f"scene{number}" for number in range(10)]
    splits = split_groups(names, seed=3)
    animals = [splits[name] for name in names[:20]]
    scenes = [splits[name] for name in names[20:]]
    assert animals.count("test") == 3
    assert animals.count("validation") == 3
    assert scenes.count("test") == 2
    assert scenes.count("validation") == 2
    assert splits == split_groups(reversed(names), seed=3) != split_groups(names, seed=4)
    assert split_groups(["yard"], seed=0) == {"yard": "train"}
    with pytest.raises(ValueError, match="together below 1"):
        split_groups(["yard"], 0, 0.5, 0.5)
