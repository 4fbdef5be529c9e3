"""Where releases come from, when what is there is odd."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import loopback
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError

from trailcam_core.errors import UpdateError
from trailcam_edge.update.errors import NotFetchedError
from trailcam_edge.update.fetch.fetchers import MinimumRateFetcher, PromptFetcher, open_source

_ENDLESS = {
    "/headers": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "/informational": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "/chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "/redirect": (b"HTTP/1.1 302 Found\r\nLocation: /whole\r\n\r\n", b"x"),
}
_REDIRECTS = {
    "/away": "file:///etc/passwd",
    "/nowhere": "",
    "/broken": "http://[::1",
    "/loop": "/loop",
}


class Host(loopback.QuietHandler):
    """Sends 2,000 bytes, at once or one by one; or something that has no end, or another answer than a file."""

    def answer(self) -> None:
        if self.path in _ENDLESS:
            self.send_for_ever(*_ENDLESS[self.path])
            return
        if self.path in _REDIRECTS or self.path.startswith("/status/"):
            self.send_response(302 if self.path in _REDIRECTS else int(self.path.rpartition("/")[2]))
            self.send_header("Location", _REDIRECTS.get(self.path, ""))
            self.send_header("Retry-After", "1000")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
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

    def send_for_ever(self, start: bytes, piece: bytes) -> None:
        self.close_connection = True
        try:
            self.wfile.write(start)
            while True:
                self.wfile.write(piece)
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


@pytest.mark.parametrize("address", ["/headers", "/informational", "/chunk"])
def test_a_host_that_never_comes_to_the_content_is_left(host: str, address: str) -> None:
    fetcher = MinimumRateFetcher(PromptFetcher(), grace_s=0.3, answer_s=0.5)
    with pytest.raises(SlowRetrievalError):
        fetcher.download_bytes(f"{host}{address}", 2000)


def test_the_body_of_a_redirect_is_not_waited_for(host: str) -> None:
    fetcher = MinimumRateFetcher(PromptFetcher(), answer_s=5)
    assert fetcher.download_bytes(f"{host}/redirect", 2000) == b"x" * 2000


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/away", "redirects to file:///etc/passwd, expected an https:// address"),
        ("/nowhere", "redirects to nothing"),
        ("/broken", "redirects to what is no address"),
        ("/loop", "more than 5 redirects"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error(host: str, address: str, words: str) -> None:
    for fetch in (PromptFetcher().fetch, lambda url: PromptFetcher().fetch_from(url, 0, None)):
        with pytest.raises(DownloadError, match=words):
            fetch(f"{host}{address}")


def test_a_redirect_does_not_leave_https(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        status = 302

        def __init__(self) -> None:
            self.headers = {"Location": "http://user:secret@portal.example/login?token=1"}

        def close(self) -> None:
            """Do nothing."""

    asked: list[str] = []

    def request(_method: str, url: str, **_options: Any) -> Answer:
        asked.append(url)
        return Answer()

    fetcher = PromptFetcher()
    monkeypatch.setattr(fetcher._proxy_env, "request", request)
    with pytest.raises(DownloadError, match=r"redirects to http://user:.*expected an https:// address") as caught:
        fetcher.fetch("https://meadow.example/metadata/timestamp.json")
    assert asked == ["https://meadow.example/metadata/timestamp.json"]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [204, 206, 304, 429, 500, 503])
def test_another_answer_than_a_file_is_not_taken_for_an_empty_one(host: str, status: int) -> None:
    with pytest.raises(DownloadHTTPError, match=f"the host answers {status}"):
        PromptFetcher().download_bytes(f"{host}/status/{status}", 2000)


def test_a_folder_that_cannot_be_read_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_words: Any, **_options: Any) -> Any:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(Path, "stat", failing)
    with pytest.raises(NotFetchedError, match=r"Input/output error\. Plug the stick in again"):
        open_source(str(tmp_path))


def test_a_folder_that_is_not_mounted_says_so(tmp_path: Path) -> None:
    with pytest.raises(UpdateError, match="Mount the stick"):
        open_source(str(tmp_path / "stick"))
