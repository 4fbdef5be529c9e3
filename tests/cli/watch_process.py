"""A running ``trailcam watch`` for tests, and what it says."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.bundle.golden_file import golden_to_bytes
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.records import canonical_json
from trailcam_edge.store.reader import open_reader

BUILTIN = f"animals10 {open_bundle(BUILTIN_BUNDLE).manifest.version}"


CONFIG = """
[model]
threads = 1

[camera]
source = "demo:loop"

[store]
folder = "store"
min_free_bytes = 0

[live]
address = "127.0.0.1:0"
"""


def make_bundle(path: Path, shift: float) -> None:
    """Copy the built-in bundle as version 9.9.9, with half of the golden logits too high by ``shift``."""
    shutil.copytree(BUILTIN_BUNDLE, path)
    bundle = open_bundle(path)
    golden = bundle.read_golden()
    logits = golden.logits.copy()
    logits[:, ::2] += shift
    content = golden_to_bytes(replace(golden, logits=logits))
    (path / "golden.npz").write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    manifest["version"] = "9.9.9"
    manifest["golden"] |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    (path / "manifest.json").write_bytes(canonical_json(manifest))


class Watch:
    """A running ``trailcam watch`` and what it says."""

    def __init__(self, folder: Path, text: str = CONFIG) -> None:
        self.folder = folder
        self.config = folder / "trailcam.toml"
        self.config.write_text(text, encoding="utf-8")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.setblocking(False)
        self.said = folder / "said"
        command = [sys.executable, "-m", "trailcam", "watch", "--config", str(self.config), "--visits"]
        environment = os.environ | {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "1000000"}
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)

    def wait_for(self, done: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < deadline, self.words()
            time.sleep(0.05)

    def hear(self, word: str) -> None:
        """Wait until the service manager is told this."""
        heard: list[str] = []

        def is_told() -> bool:
            with contextlib.suppress(BlockingIOError):
                heard.extend(self.socket.recv(4096).decode().splitlines())
            return word in heard

        self.wait_for(is_told)

    def words(self) -> str:
        return self.said.read_text(encoding="utf-8")

    def page(self) -> str:
        self.wait_for(lambda: "live page: " in self.words())
        return self.words().rpartition("live page: ")[2].split()[0]

    def status(self) -> dict[str, object]:
        with urllib.request.urlopen(f"{self.page()}status.json", timeout=20) as answer:
            found: dict[str, object] = json.loads(answer.read())
        return found

    def wait_for_a_visit(self) -> None:
        """Wait until some visit is under way: votes have been counted."""
        self.wait_for(lambda: self._open())

    def is_recorded(self) -> bool:
        """Return whether the store says that a bundle watches."""
        with open_reader(self.folder / "store") as reader:
            return any(reader.watches())

    def _open(self) -> bool:
        with urllib.request.urlopen(f"{self.page()}frame.jpg?viewer=t", timeout=20) as answer:
            return answer.status == 200 and bool(json.loads(answer.headers["X-Trailcam"])["open"])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def bundles(self) -> list[str]:
        with open_reader(self.folder / "store") as reader:
            return [event.bundle for event in reader.events()]

    def labels(self) -> list[str]:
        with open_reader(self.folder / "store") as reader:
            return [event.label for event in reader.events()]
