from pathlib import Path

import pytest

from trailcam_core.errors import DataError
from trailcam_train.data.class_names import ANIMALS10, choose_label_map, read_label_map


def test_italian_folders_become_english_labels_without_asking() -> None:
    assert choose_label_map(["ragno", "cane"], None) == {"cane": "dog", "ragno": "spider"}


def test_one_italian_word_or_a_foreign_folder_is_not_taken_for_animals10() -> None:
    assert choose_label_map(["gatto"], None) == {"gatto": "gatto"}
    assert choose_label_map(["cane", "gatto", "fox"], None) == {"cane": "cane", "fox": "fox", "gatto": "gatto"}


def test_none_keeps_folder_names() -> None:
    assert choose_label_map(ANIMALS10, "none") == {name: name for name in ANIMALS10}


def test_a_map_must_name_every_folder() -> None:
    with pytest.raises(DataError, match="does not name the folder 'fox'"):
        choose_label_map(["cane", "fox"], "animals10")


def test_a_toml_file_maps_two_folders_to_one_label(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text('fox = "fox"\n"red fox" = "fox"\n', encoding="utf-8")
    assert choose_label_map(["fox", "red fox"], str(path)) == {"fox": "fox", "red fox": "fox"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "an empty label map"),
        ("fox = 1", "fox is 1, expected a label in quotes"),
        ('[fox]\na = "b"', "fox is a table of 1"),
        ('fox = ""', "printable name"),
        ("fox", "not TOML"),
        ("\xff", "not UTF-8"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "labels.toml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        read_label_map(path)


def test_a_missing_label_map_names_the_built_in_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='"animals10" or "none"'):
        choose_label_map(["a"], str(tmp_path / "no.toml"))
