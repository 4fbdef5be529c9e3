"""The id of a camera: given once, or made once."""

from pathlib import Path

import pytest

from trailcam_core.errors import UpdateError
from trailcam_edge.update.fetch.device_id import DEVICE_ID_FILE, read_device_id, write_device_id


def test_an_id_that_was_given_is_read_and_may_be_given_again(tmp_path: Path) -> None:
    write_device_id(tmp_path, "gate-north.3")
    write_device_id(tmp_path, "gate-north.3")
    assert read_device_id(tmp_path) == "gate-north.3"
    assert (tmp_path / DEVICE_ID_FILE).stat().st_mode & 0o777 == 0o644


def test_a_camera_without_an_id_makes_one_and_keeps_it(tmp_path: Path) -> None:
    made = read_device_id(tmp_path)
    assert made is not None
    assert made.startswith("cam-")
    assert read_device_id(tmp_path) == made
    assert [path.name for path in tmp_path.iterdir()] == [DEVICE_ID_FILE]


def test_another_id_is_refused(tmp_path: Path) -> None:
    write_device_id(tmp_path, "gate-north")
    with pytest.raises(UpdateError, match="is gate-north, gate-south was to be written"):
        write_device_id(tmp_path, "gate-south")
    assert read_device_id(tmp_path) == "gate-north"


@pytest.mark.parametrize("text", ["", "Gate", "-gate", "a b", "a/b", "x" * 65, "gate\n", "gåte"])
def test_an_id_that_breaks_the_rules_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UpdateError, match="expected 1 to 64"):
        write_device_id(tmp_path, text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\x00" * 20, b"\xff\n", b"a b\n", b"x" * 100, b"gate\n\n"])
def test_a_damaged_id_is_left_as_it_is_and_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DEVICE_ID_FILE).write_bytes(content)
    assert read_device_id(tmp_path) is None
    assert (tmp_path / DEVICE_ID_FILE).read_bytes() == content
