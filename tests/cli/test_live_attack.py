"""Hostile clients of the live page of the real ``trailcam watch``: they cost little memory and lock nobody out."""

import contextlib
import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

TOKEN = "correct-horse-battery"
MAX_PEAK_MB = 150.0
LINES = 97
LINE = b"A: " + b"b" * 65_500 + b"\r\n"


class Camera:
    """A running ``trailcam watch`` with a live page behind a token."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.port, self.process = port, process

    def ask(self, path: str, timeout_s: float = 10.0) -> int:
        """Return the status of an answer to a client with the token, 0 without one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def peak_mb(self) -> float:
        """Return the peak resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1000


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    folder = tmp_path_factory.mktemp("camera")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    (folder / "c.toml").write_text(
        f'[camera]\nsource = "demo:loop"\n[watch]\nrate_hz = 5.0\n[live]\naddress = "0.0.0.0:{port}"\n'
        'token_file = "token"\n'
    )
    command = [sys.executable, "-m", "trailcam", "watch", "--config", str(folder / "c.toml"), "--visits"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        made = Camera(port, process)
        deadline = time.monotonic() + 60
        while made.ask("/status.json") != 200:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.2)
        yield made
        process.terminate()


def flood(port: int, ready: threading.Barrier) -> None:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        ready.wait(10)
        for _ in range(LINES):
            line.sendall(LINE)
        line.recv(1)


@pytest.mark.parametrize("count", [1, 32, 64])
def test_heads_of_six_megabytes_cost_little_memory(camera: Camera, count: int) -> None:
    for _ in range(3):
        ready = threading.Barrier(count)
        threads = [threading.Thread(target=flood, args=(camera.port, ready)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert camera.process.poll() is None
    assert camera.peak_mb() < MAX_PEAK_MB
    assert camera.ask("/status.json") == 200


def test_two_hundred_slow_clients_do_not_lock_out_a_client_with_the_token(camera: Camera) -> None:
    stop = threading.Event()

    def drip() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.2", camera.port), timeout=5) as line:
                line.sendall(b"GET / HTTP/1.1\r\nHost: local")
                line.settimeout(0.2)
                while not stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        if not line.recv(1_000):
                            break
                    line.sendall(b"h")
            stop.wait(0.2)

    threads = [threading.Thread(target=drip) for _ in range(200)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1.0)
        answers = [camera.ask(path) for _ in range(10) for path in ("/status.json", "/healthz", "/metrics")]
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert answers.count(200) >= 27  # all come from loopback, so they compete for the same places
    assert camera.peak_mb() < MAX_PEAK_MB
