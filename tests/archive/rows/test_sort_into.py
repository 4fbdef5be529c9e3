"""Pictures in folders of their labels."""

from pathlib import Path

import pytest

from trailcam_archive.rows.columns import FileRecord, ModelFacts
from trailcam_archive.rows.record import Answer, PictureRecord, failed
from trailcam_archive.rows.sort_into import check_sort_folder, sort_into
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
