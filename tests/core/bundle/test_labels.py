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
