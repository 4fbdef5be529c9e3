"""``trailcam status``: from the live page of a running camera, and from its files otherwise."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam.main import main
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_edge.app.services import DeviceServices
from trailcam_edge.config.camera_toml import read_config
from trailcam_edge.events import Visit
from trailcam_edge.events.clock import SystemClock
from trailcam_edge.live.access import Address
from trailcam_edge.live.client import fetch_status
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.update.install.journal import Journal, write_journal

IMAGE = np.full((48, 64, 3), 90, np.uint8)


def visit(name: str) -> Visit:
    now = SystemClock().moment(time.monotonic())
    return Visit(name, "lynx", now, now, 0.9, 3, 9, IMAGE, "animals10 1.0.0", 10.0)


def status(path: Path, capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, Any]:
    assert main(["status", "--config", str(path), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_camera_that_does_not_run_is_read_from_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trailcam.toml"
    path.write_text('[store]\nfolder = "store"\nmin_free_bytes = 0\n[update]\nfolder = "update"\n', encoding="utf-8")
    config = read_config(path)
    assert config.store is not None
    store = EventStore(config.store)
    store.add_visit(visit("first"))
    store.add_visit(visit("second"))
    store.close()
    (tmp_path / "update").mkdir()
    write_journal(tmp_path / "update" / "journal.json", Journal("watch", candidate="new-1"))
    found = status(path, capsys)
    assert (found["schema"], found["running"], found["alive"], found["frame"]) == (1, False, None, None)
    assert (found["update"]["state"], found["update"]["candidate"]) == ("watch", "new-1")
    assert (found["last_visit"]["visit_id"], found["last_visit"]["picture"]) == ("second", "pictures/second.jpg")
    assert found["store"]["visits"] == 2
    assert 0 < found["store"]["bytes"] < found["store"]["max_bytes"] == 2_000_000_000
    assert found["bundle"] is None  # the candidate's slot is gone
    assert main(["status", "--config", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "new-1 is being tried" in printed
    assert "Last visit  lynx" in printed


def test_without_store_and_updates_the_built_in_bundle_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trailcam.toml"
    path.write_text("", encoding="utf-8")
    found = status(path, capsys)
    assert found["bundle"] == f"animals10 {open_bundle(BUILTIN_BUNDLE).manifest.version}"
    assert found["update"] is found["store"] is found["last_visit"] is None


def test_a_running_camera_is_asked_over_its_live_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = tmp_path / "token"
    token.write_text("correct-horse-battery\n", encoding="utf-8")
    token.chmod(0o600)
    path = tmp_path / "trailcam.toml"
    text = '[recovery]\nstall_s = 0.5\n[live]\naddress = "127.0.0.1:PORT"\ntoken_file = "token"\n'
    path.write_text(text.replace("PORT", "0"), encoding="utf-8")
    with DeviceServices(read_config(path), "1.0") as services:
        assert services._server is not None
        path.write_text(text.replace("PORT", str(services._server.port)), encoding="utf-8")
        assert status(path, capsys, 3)["alive"] is False  # no frame has arrived yet
        frame = Frame(PackedPixels(IMAGE, "RGB"), time.monotonic(), 7, "f")
        services.handle_event(FrameResult(frame, None, 5.0, "lynx", 12.0, 3), "meadow 2.0.0")
        found = status(path, capsys)
        assert (found["running"], found["alive"], found["bundle"]) == (True, True, "meadow 2.0.0")
        assert (found["frame"]["outcome"], found["frame"]["dropped"]) == ("lynx", 3)
        assert fetch_status(Address("127.0.0.1", services._server.port), "a-wrong-token-of-length") is None
    assert status(path, capsys)["running"] is False


def test_what_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trailcam.toml"
    path.write_text(
        '[store]\nfolder = "store"\n[update]\nfolder = "update"\n'
        '[live]\naddress = "127.0.0.1:1"\ntoken_file = "none"\n',
        encoding="utf-8",
    )
    (tmp_path / "update").mkdir()
    (tmp_path / "update" / "journal.json").write_text("{", encoding="utf-8")

    def forbid(_: Path) -> None:
        raise PermissionError(13, "Permission denied", "store/events.db")  # root may read everything

    monkeypatch.setattr("trailcam_edge.app.status.open_reader", forbid)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "events.db").touch()
    assert main(["status", "--config", str(path)]) == 0
    told = capsys.readouterr().err
    assert "none: the token cannot be read (No such file or directory)" in told
    assert "journal.json: not JSON" in told
    assert "store/events.db: cannot be read (Permission denied)." in told


def test_a_mistake_in_the_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trailcam.toml"
    path.write_text("[store]\nmax_bytes = 1\n", encoding="utf-8")
    assert main(["status", "--config", str(path), "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "line 2: store.max_bytes is 1" in printed.err


def test_without_a_configuration_the_default_live_page_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trailcam.commands.status._CONFIG", tmp_path / "none.toml")
    asked: list[Address] = []

    def answer(address: Address, token: str | None) -> dict[str, Any] | None:
        asked.append(address)
        return {"alive": True, "paused": False, "bundle": "meadow 2.0.0", "frame": None} if len(asked) == 1 else None

    monkeypatch.setattr("trailcam_edge.app.status.fetch_status", answer)
    assert main(["status"]) == 0
    assert "frames arrive\nBundle      meadow 2.0.0" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert "does not run, or has no live page at 127.0.0.1:8080\n" in capsys.readouterr().out
    assert asked == [Address("127.0.0.1", 8080)] * 2


ANSWERS_OF_OTHERS = [
    b'{"status": "fine"}',
    b'{"alive": "yes"}',
    b'{"alive": true, "frame": {"rate_hz": 5}, "bundle": 7}',
    b'{"alive": true, "frame": {"outcome": null, "rate_hz": "x"}}',
    b'{"alive": null, "frame": []}',
    b"[" * 50_000,
]


@pytest.mark.parametrize("answer", ANSWERS_OF_OTHERS, ids=range(len(ANSWERS_OF_OTHERS)))
def test_another_program_on_the_port_is_no_camera(answer: bytes) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_request(self, code: int | str = 0, size: int | str = 0) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert fetch_status(Address("127.0.0.1", server.server_port)) is None
        thread.join()


def test_a_program_that_answers_without_an_end_is_waited_for_no_longer_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            for _ in range(400):
                connection.sendall(b"H")
                time.sleep(0.05)

    monkeypatch.setattr("trailcam_edge.live.client._TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        started_s = time.monotonic()
        assert fetch_status(Address("127.0.0.1", server.getsockname()[1])) is None
        assert time.monotonic() - started_s < 10
        thread.join()
