from pathlib import Path

import pytest

from trailcam_core.datasets.out_of_distribution import EVALUATION_HALF, TUNING_HALF, list_ood_images
from trailcam_core.errors import DataError


def test_the_top_folders_are_groups_and_the_rest_is_one(tmp_path: Path) -> None:
    for name in ("things/deep/b.png", "things/a.jpg", "animals/x.JPEG", "loose.png", "things/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    found = {name: [path.name for path in members] for name, members in list_ood_images(tmp_path).items()}

    assert found == {"animals": ["x.JPEG"], "all": ["loose.png"], "things": ["a.jpg", "b.png"]}


def test_the_halves_share_nothing_and_leave_nothing() -> None:
    assert ("abcde"[TUNING_HALF], "abcde"[EVALUATION_HALF]) == ("ace", "bd")


def test_a_missing_folder_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such folder.*out-of-distribution pictures"):
        list_ood_images(tmp_path / "nowhere")
