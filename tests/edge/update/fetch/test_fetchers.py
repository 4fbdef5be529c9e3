"""Where releases come from, when what is there is odd."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import loopback
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError

from trailcam_core.errors import UpdateError
from trailcam_edge.update.fetch.fetchers import FolderFetcher, MinimumRateFetcher, PromptFetcher, open_source


class Host(loopback.QuietHandler):
    """Sends 2,000 bytes, at once or one by one."""

    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2000")
        self.end_headers()
        if self.path == "/whole":
            self.wfile.write(b"x" * 2000)
            return
        try:
            for _ in range(2000):
                self.wfile.write(b"x")
                time.sleep(0.02)
        except OSError:
            pass  # the camera has left


@pytest.fixture
def host() -> Iterator[str]:
    with loopback.serving(Host) as address:
        yield address


def test_a_host_that_drips_is_left_and_one_that_does_not_is_read(host: str) -> None:
    fetcher = MinimumRateFetcher(PromptFetcher(), min_bytes_per_s=1000, grace_s=0.3)
    assert fetcher.download_bytes(f"{host}/whole", 2000) == b"x" * 2000
    with pytest.raises(SlowRetrievalError, match=r"/drip: \d{1,3} bytes"):
        fetcher.download_bytes(f"{host}/drip", 2000)


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


def test_a_folder_that_is_not_mounted_says_so(tmp_path: Path) -> None:
    with pytest.raises(UpdateError, match="Mount the stick"):
        open_source(str(tmp_path / "stick"))
