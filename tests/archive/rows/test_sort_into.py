"""Pictures in folders of their labels."""

from dataclasses import replace
from pathlib import Path

import pytest

from trailcam_archive.batch.source_prefixes import source_prefixes
from trailcam_archive.rows.columns import FileRecord, ModelFacts
from trailcam_archive.rows.record import Answer, PictureRecord, failed
from trailcam_archive.rows.sort_into import SortMode, check_sort_folder, sort_into
from trailcam_core.errors import DataError

MODEL = ModelFacts("animals 1.0.0", "max_logit", 1.65)


@pytest.fixture
def records(tmp_path: Path) -> list[FileRecord]:
    (tmp_path / "card" / "n").mkdir(parents=True)
    (tmp_path / "card" / "n" / "1.jpg").write_bytes(b"fox")
    (tmp_path / "card" / "2.jpg").write_bytes(b"odd")
    fox, odd = Answer("fox", 0.9, "label", 3.0), Answer("../x", 0.9, "label", 3.0)
    card = str(tmp_path / "card")
    return [
        FileRecord(card, "n/1.jpg", PictureRecord((fox, Answer("fox", 0.9, "label", 0.1)))),
        FileRecord(card, "2.jpg", PictureRecord((odd,))),
        FileRecord(card, "gone.jpg", PictureRecord((fox,))),
        FileRecord(card, "cut.jpg", failed("cut off")),
    ]


def test_copies_lie_below_every_label_of_the_picture(records: list[FileRecord], tmp_path: Path) -> None:
    problems: list[str] = []
    assert sort_into(tmp_path / "by", records, MODEL, "copy", problems.append) == 3
    files = sorted(str(path.relative_to(tmp_path / "by")) for path in (tmp_path / "by").rglob("*") if path.is_file())
    assert files == ["_._x/2.jpg", "fox/n/1.jpg", "unknown/n/1.jpg"]
    assert len(problems) == 1
    assert "gone.jpg" in problems[0]
    assert sort_into(tmp_path / "by", records, MODEL, "copy", problems.append) == 0


def test_links_lead_to_the_picture(records: list[FileRecord], tmp_path: Path) -> None:
    assert sort_into(tmp_path / "by", records[:2], MODEL, "link", print) == 3
    assert (tmp_path / "by" / "fox" / "n" / "1.jpg").readlink() == tmp_path / "card" / "n" / "1.jpg"
    assert sort_into(tmp_path / "by", records[:2], MODEL, "link", print) == 0


def test_a_folder_inside_of_the_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for name, expected in (("card/by", "is inside of"), ("card", "is inside of"), ("file", "a file")):
        with pytest.raises(DataError, match=expected):
            check_sort_folder(tmp_path / name, [str(tmp_path / "card")])
    check_sort_folder(tmp_path / "by", [str(tmp_path / "card"), "https://example.org/a.jpg"])


@pytest.fixture
def two_cards(tmp_path: Path) -> list[FileRecord]:
    """Two cards with the same names in them, as two cameras of one maker write them."""
    found = []
    for card in ("a/DCIM", "b/DCIM"):
        (tmp_path / card).mkdir(parents=True)
        for name in ("1.jpg", "2.jpg"):
            (tmp_path / card / name).write_bytes(f"{card[0]}{name}".encode())
            found.append(FileRecord(str(tmp_path / card), name, PictureRecord((Answer("fox", 0.9, "label", 3.0),))))
    return found


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_no_picture_of_two_cards_takes_the_place_of_another(
    two_cards: list[FileRecord], tmp_path: Path, mode: SortMode
) -> None:
    prefixes = source_prefixes([str(tmp_path / "a/DCIM"), str(tmp_path / "b/DCIM")])
    for number in (4, 0):  # the same command adds nothing
        assert sort_into(tmp_path / "by", two_cards, MODEL, mode, pytest.fail, prefixes) == number
    found = {str(path.relative_to(tmp_path / "by" / "fox")): path.read_bytes() for path in _files(tmp_path / "by")}
    assert found == {f"{card}/DCIM/{name}": f"{card}{name}".encode() for card in "ab" for name in ("1.jpg", "2.jpg")}


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_the_card_of_a_later_run_replaces_nothing(two_cards: list[FileRecord], tmp_path: Path, mode: SortMode) -> None:
    for card, number in ((two_cards[:2], 2), (two_cards[2:], 2), (two_cards[2:], 0), (two_cards[:2], 0)):
        assert sort_into(tmp_path / "by", card, MODEL, mode, pytest.fail) == number
    found = {path.name: path.read_bytes() for path in _files(tmp_path / "by")}
    assert found == {"1.jpg": b"a1.jpg", "2.jpg": b"a2.jpg", "1-2.jpg": b"b1.jpg", "2-2.jpg": b"b2.jpg"}


def test_a_name_that_the_disk_refuses_costs_one_file(two_cards: list[FileRecord], tmp_path: Path) -> None:
    longest = "x" * 251 + ".jpg"
    for card in "ab":
        (tmp_path / card / "DCIM" / longest).write_bytes(card.encode())
    named = [replace(each, relative=longest) for each in two_cards[::2]]
    problems: list[str] = []
    assert sort_into(tmp_path / "by", [*named, *two_cards[:1]], MODEL, "copy", problems.append) == 2
    assert len(problems) == 1
    assert "File name too long" in problems[0]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
