"""Addresses of pictures: fetched within bounds, and no secret in a message."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import loopback

from trailcam.main import main
from trailcam_archive.batch import references
from trailcam_archive.batch.download import download
from trailcam_archive.batch.references import is_address, read_reference, shown
from trailcam_core.errors import DeviceError, SourceError
from trailcam_edge.sources import DEMO_FRAMES


class _Handler(loopback.QuietHandler):
    def answer(self) -> None:
        if self.path.startswith("/gone"):
            self.send_error(404)
            return
        if self.path.startswith("/circle"):
            self.send_response(302)
            self.send_header("Location", "/circle")
            self.end_headers()
            return
        if self.path.startswith("/rubbish"):
            self.wfile.write(b"no header\r\n\r\n")
            return
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/picture.webp")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        try:
            if self.path.startswith("/slow"):
                for _ in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.1)
            elif self.path.startswith("/large"):
                for _ in range(100):
                    self.wfile.write(bytes(1 << 16))
            else:
                self.wfile.write(min(DEMO_FRAMES.glob("*.webp")).read_bytes())
        except OSError:  # the client has enough
            return


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with loopback.serving(_Handler) as address:
        yield address.replace("//", "//user:secret@")


@pytest.mark.parametrize("path", ["/picture.webp?token=hidden", "/moved"])
def test_a_picture_is_fetched(server: str, path: str) -> None:
    assert read_reference(server + path) == min(DEMO_FRAMES.glob("*.webp")).read_bytes()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/gone?token=hidden", "answers 404"),
        ("/large?token=hidden", "more than 100,000 bytes"),
        ("/slow", "too slow"),
        ("/circle", "redirects more than 5 times"),
        ("/rubbish", "does not speak HTTP"),
        (":x", "no address of a web"),
    ],
)
def test_bounds_are_kept_and_secrets_hidden(server: str, path: str, expected: str) -> None:
    start_s = time.monotonic()
    with pytest.raises(SourceError, match=expected) as raised:
        download(server + path, max_bytes=100_000, longest_s=1.0 if path == "/slow" else 30.0)
    assert time.monotonic() - start_s < 25
    assert "secret" not in str(raised.value)
    assert "hidden" not in str(raised.value)


def test_no_server_is_a_plain_message(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SourceError, match="no connection") as raised:
        download("http://user:secret@127.0.0.1:9/x.jpg?token=hidden", longest_s=5.0)
    assert "secret" not in str(raised.value)
    assert "hidden" not in str(raised.value) + caplog.text


def test_the_command_takes_an_address(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", f"{server}/picture.webp?token=hidden"]) == 0
    printed = capsys.readouterr()
    assert "/picture.webp?***: " in printed.out
    assert "hidden" not in printed.out + printed.err
    assert "secret" not in printed.out + printed.err
    assert main(["classify", f"{server}/gone.jpg"]) == 1
    assert "answers 404" in capsys.readouterr().err


def test_addresses_of_storages_need_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(DeviceError, match="fsspec"):
        read_reference("s3://bucket/a.jpg")


def test_a_storage_is_read_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec, the extra cluster")
    fsspec.filesystem("memory").pipe("/bucket/a.jpg", b"12345")
    assert read_reference("memory://bucket/a.jpg") == b"12345"
    with pytest.raises(SourceError, match="no such file"):
        read_reference("memory://bucket/b.jpg")
    with pytest.raises((SourceError, DeviceError), match="nowhere"):
        read_reference("nowhere://bucket/b.jpg")
    monkeypatch.setattr(references, "MAX_DOWNLOAD_BYTES", 4)
    with pytest.raises(SourceError, match="more than 4 bytes"):
        read_reference("memory://bucket/a.jpg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("https://host/a.jpg", True), ("s3://b/a", True), ("/a/b.jpg", False), ("a:b.jpg", False), ("C://x", False)],
)
def test_what_is_an_address(text: str, expected: bool) -> None:
    assert is_address(text) is expected


def test_a_path_is_shown_as_it_is(tmp_path: Path) -> None:
    assert shown(str(tmp_path / "a=b?c.jpg")) == str(tmp_path / "a=b?c.jpg")
