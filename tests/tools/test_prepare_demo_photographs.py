"""Which photographs the demo takes, and under which name."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from prepare_demo_photographs import describe, is_shippable, resize, share_alike_note


def item(**changed: Any) -> dict[str, Any]:
    plain = {"name": "cat_1", "label": "cat", "package": "pictures 1.0", "path": "x/usr/share/cat.png", "alpha": False}
    return plain | {"licence": "CC0", "author": "A", "source": "-", "where": "README; more"} | changed


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"licence": "CC-BY-SA-4.0"}, True),
        ({"licence": "GPL-2+"}, False),
        ({"licence": "Apache-2.0"}, False),
        ({"alpha": True}, False),
        ({"note": "crop of cat_1"}, False),
    ],
)
def test_whole_photographs_of_free_licences_are_taken(changed: dict[str, Any], expected: bool) -> None:
    assert is_shippable(item(**changed)) is expected


def test_an_entry_has_the_truth_and_the_owner() -> None:
    entry = describe(item(name="other_red_panda", label="unknown", source="https://example.org/panda"))
    assert (entry["file"], entry["kind"], entry["shows"], entry["expected"]) == (
        "other_red_panda.webp",
        "other",
        "red panda",
        None,
    )
    assert entry["origin"] == "https://example.org/panda (Debian package pictures 1.0: usr/share/cat.png)"
    assert (entry["licence"], entry["licence_stated_in"]) == ("CC0-1.0", "README")
    assert describe(item())["expected"] == "cat"


def test_share_alike_lies_in_a_folder_whose_licence_names_it() -> None:
    entries = [describe(item(licence="CC-BY-SA-3.0", author="B. Bee")), describe(item(name="cat_2"))]
    assert [entry["file"] for entry in entries] == ["share_alike/cat_1.webp", "cat_2.webp"]
    note = share_alike_note(entries)
    assert "`cat_1.webp`: B. Bee, [CC-BY-SA-3.0](https://creativecommons.org/licenses/by-sa/3.0/)" in note
    assert "cat_2" not in note


@pytest.mark.parametrize(
    ("size", "expected"), [((960, 1280), (480, 640)), ((900, 300), (640, 213)), ((30, 40), (30, 40))]
)
def test_the_longer_side_is_at_most_640_px(size: tuple[int, int], expected: tuple[int, int], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((*size, 3), 90, np.uint8))
    resize(tmp_path / "a.png", tmp_path / "a.webp")
    assert cv2.imread(str(tmp_path / "a.webp")).shape[:2] == expected
