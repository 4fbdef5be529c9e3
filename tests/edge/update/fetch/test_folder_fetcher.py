"""A folder of releases, such as a stick, when what is on it is odd or cannot be read."""

import contextlib
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError

from trailcam_edge.update.fetch import folder_fetcher
from trailcam_edge.update.fetch.folder_fetcher import FolderFetcher


@pytest.mark.parametrize("odd", ["link", "pipe", "folder", "missing", "linked/file", "folder/up/file", "pipe/file"])
def test_what_is_no_plain_file_is_not_there(tmp_path: Path, odd: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "inbox" / "folder").mkdir(parents=True)
    (tmp_path / "inbox" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "inbox" / "pipe")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"elsewhere")
    (tmp_path / "inbox" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "inbox" / "folder" / "up").symlink_to("../../elsewhere")
    with pytest.raises(DownloadHTTPError):
        FolderFetcher(tmp_path / "inbox").download_bytes(f"folder:/{odd}", 100)


def test_the_folder_itself_may_be_a_link_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "stick" / "targets" / "meadow").mkdir(parents=True)
    (tmp_path / "stick" / "targets" / "meadow" / "file").write_bytes(b"content")
    (tmp_path / "media").symlink_to("stick")
    for _ in range(3):
        assert FolderFetcher(tmp_path / "media").download_bytes("folder:/targets/meadow/file", 100) == b"content"
        with pytest.raises(DownloadHTTPError):
            FolderFetcher(tmp_path / "media").download_bytes("folder:/targets/none/file", 100)
    assert _open_below(tmp_path) == []


def _open_below(folder: Path) -> list[Path]:
    """Return what this process holds open below ``folder``."""
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            held.append(descriptor.readlink())
    return [path for path in held if path.is_relative_to(folder)]


def test_an_address_does_not_leave_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "inbox").mkdir()
    with pytest.raises(DownloadError, match="leaves the folder"):
        FolderFetcher(tmp_path / "inbox").download_bytes("folder:/../secret", 100)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV, errno.EACCES, errno.ESTALE])
def test_what_cannot_be_read_does_not_count_as_missing(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-tuf takes a missing root.json for the end of the chain, and would then blame the signatures."""
    (tmp_path / "2.root.json").write_bytes(b"{}")

    def failing(*_words: Any, **_options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folder_fetcher.os, "stat", failing)
    with pytest.raises(DownloadError, match=f"2.root.json: {os.strerror(number)}") as caught:
        FolderFetcher(tmp_path).download_bytes("folder:/2.root.json", 100)
    monkeypatch.undo()
    assert not isinstance(caught.value, DownloadHTTPError)


def test_a_pipe_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device behind such a name may do something when it is opened, as a watchdog does."""
    os.mkfifo(tmp_path / "timestamp.json")
    opened: list[Any] = []
    real = os.open

    def noted(path: Any, *words: Any, **options: Any) -> int:
        opened.append(path)
        return real(path, *words, **options)

    monkeypatch.setattr(folder_fetcher.os, "open", noted)
    with pytest.raises(DownloadHTTPError, match="no plain file"):
        FolderFetcher(tmp_path).download_bytes("folder:/timestamp.json", 100)
    monkeypatch.undo()
    assert "timestamp.json" not in opened
