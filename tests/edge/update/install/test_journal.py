"""The journal: what is written is read, and what is damaged is said to be."""

from pathlib import Path

import pytest

from trailcam_core.errors import UpdateError
from trailcam_edge.update.install.journal import Journal, read_journal, write_journal

FULL = Journal(
    "roll_back", "tiny-1.0.0-aa", "tiny-0.9.0+x-bb", "tiny-2.0.0-cc", 3, "it\nbarks", {"z-1": "no", "a-1": "neither"}
)


def test_what_is_written_is_read_in_the_same_order(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal.json", FULL)
    found = read_journal(tmp_path / "journal.json")
    assert found.reason == "it barks"
    assert found.candidate == FULL.candidate
    assert list(found.refused.items()) == [("z-1", "no"), ("a-1", "neither")]


def test_no_journal_means_that_nothing_was_ever_installed(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal.json") == Journal()


def test_any_flipped_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    write_journal(path, FULL)
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(UpdateError, match="journal is damaged"):
            read_journal(path)


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\x00" * 400, b"[" * 10_000])
def test_what_is_no_journal_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.json").write_bytes(content)
    with pytest.raises(UpdateError, match="journal is damaged"):
        read_journal(tmp_path / "journal.json")


def test_a_state_without_its_candidate_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="watch"):
        Journal("watch")
