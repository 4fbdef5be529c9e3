"""Label files and label lists."""

from pathlib import Path

import pytest

from trailcam_core.bundle.labels import MAX_LABELS, check_labels, check_unique, read_labels
from trailcam_core.errors import BundleError


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"cat\nroe deer\n",
        b"cat\nroe deer",
        b"cat\r\nroe deer\r\n",
        b"\xef\xbb\xbfcat\nroe deer\n\n\n",
        b"  cat \nroe deer\t\n",
    ],
)
def test_line_ends_byte_order_marks_and_outer_spaces_do_not_matter(tmp_path: Path, content: bytes) -> None:
    assert read_labels(_write(tmp_path / "labels.txt", content)) == ("cat", "roe deer")


def test_a_name_may_stand_twice_in_a_label_file(tmp_path: Path) -> None:
    path = _write(tmp_path / "labels.txt", b"crane\nkite\ncrane\n")
    assert read_labels(path) == ("crane", "kite", "crane")
    with pytest.raises(BundleError, match="'crane' is on lines 1 and 3, expected each label once"):
        check_unique(read_labels(path), str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no label"),
        (b"\n \n", "holds no label"),
        (b"cat\n\ndog\n", "line 2 is '', expected a printable name"),
        (b"cat\n\xff\n", "not a UTF-8 text file"),
        (b"cat\n\x1b[2J\n", r"line 2 is '\\x1b\[2J'"),
        (b"x" * 201, "expected a printable name of 1 to 200 characters"),
        (bytes(16_000_001), "16,000,001 bytes, expected a label file of at most 16 MB"),
        (b"x\n" * (MAX_LABELS + 1), "100,001 labels, expected at most 100,000"),
    ],
)
def test_a_label_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = _write(tmp_path / "labels.txt", content)
    with pytest.raises(BundleError, match=message) as caught:
        read_labels(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_label_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        read_labels(tmp_path / "labels.txt")
    with pytest.raises(BundleError, match="Is a directory"):
        read_labels(tmp_path)


def test_printable_labels_of_any_script_are_accepted() -> None:
    check_labels(("Reh", "鹿", "Poecile atricapillus (Black-capped Chickadee)"), "labels")


def test_a_file_whose_lines_begin_with_their_number_gives_the_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    for text in ("0 cat\n1 dog\n2 red fox\n", "0: cat\n1: dog\n2: red fox\n", "0  cat\n1\tdog\n2,red fox\n"):
        path.write_text(text)
        assert read_labels(path) == ("cat", "dog", "red fox")
    for text in ("1 euro\n2 euro\n", "0 cat\n2 dog\n", "0 cat\ndog\n", "0\n1\n", "0cat\n1dog\n"):
        path.write_text(text)
        assert read_labels(path) == tuple(text.split("\n")[:-1])


@pytest.mark.parametrize("name", ["\u06af\u0631\u0628\u0647\u200c\u0633\u0627\u0646", "\u0dc1\u0dca\u200d\u0dbb\u0dd3"])
def test_joiners_inside_a_word_are_part_of_its_spelling(name: str) -> None:
    check_labels((name,), "labels")


@pytest.mark.parametrize("name", ["\u200ccat", "cat\u200c", "c\u200cat", "\u06af\u200c\u200c\u0633", "\u202ecat"])
def test_characters_that_nothing_shows_are_refused(name: str) -> None:
    with pytest.raises(BundleError, match="expected a printable name"):
        check_labels((name,), "labels")


def test_numbers_give_the_order_of_the_names(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("2 cow\n0 cat\n1 dog\n")
    assert read_labels(tmp_path / "labels.txt") == ("cat", "dog", "cow")
    (tmp_path / "labels.txt").write_text("0 cat\n0 dog\n")
    assert read_labels(tmp_path / "labels.txt") == ("0 cat", "0 dog")
