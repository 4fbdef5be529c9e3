"""A camera of the loop: its programs run here, and its SSH server in a mount namespace, so that it looks like a camera.

What another machine sees over SSH is ``/var/lib/trailcam``, ``/opt/trailcam/bin/python3``, a user ``trailcam``, and a
root without the start files of this machine, which may wait for something.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UID = 64_990
_RULES = """
[camera]
source = "{source}"
fast = true

[visits]
confidence = 0.5
vote_spacing_s = 0.1
votes = 3
vote_window = 5
vote_age_s = 4.0
cool_down_s = 1.2
reported_outcomes = ["unknown"]

[store]
folder = "{store}"
max_bytes = 300_000_000
min_free_bytes = 0

[collect]
quiet_per_day = 1000

[update]
folder = "{update}"
source = "{repository}"
channel = "loop"
healthy_s = 1.0
max_latency_ms = 60_000.0
max_memory_mb = 3000.0
"""
_AS_CAMERA = """
set -e
mount -t tmpfs none {work}
mkdir {work}/lib {work}/lib_ {work}/opt {work}/opt_
mount -t overlay overlay -o lowerdir=/var/lib,upperdir={work}/lib,workdir={work}/lib_ /var/lib
mount -t overlay overlay -o lowerdir=/opt,upperdir={work}/opt,workdir={work}/opt_ /opt
mkdir -p /var/lib/trailcam /opt/trailcam/bin
mount --bind {store} /var/lib/trailcam
ln -sfn {python} /opt/trailcam/bin/python3
mount -t tmpfs none /run/lock
sed 's,^root:.*,root:x:0:0::{work}:/bin/sh,' /etc/passwd > {work}/passwd
echo 'trailcam:x:{uid}:{uid}::/var/lib/trailcam:/bin/sh' >> {work}/passwd
mount --bind {work}/passwd /etc/passwd
exec {sshd} -D -e -f {config}
"""


class LoopCamera:
    """One camera: its folders, its configuration, its address."""

    def __init__(self, folder: Path, name: str, repository: Path) -> None:
        self.folder, self.name, self._repository = folder, name, repository
        self.store, self.update = folder / "store", folder / "update"
        self.config = folder / "trailcam.toml"
        for path in (self.store, self.update, folder / "work"):
            path.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def show(self, clip: Path) -> None:
        """Let the camera look at a clip from now on."""
        rules = {"source": clip, "store": self.store, "update": self.update, "repository": self._repository}
        self.config.write_text(_RULES.format(**rules))

    @contextmanager
    def answers_ssh(self, key: Path) -> Iterator[None]:
        """Run its SSH server; the private half of ``key`` may log in."""
        for path in (self.store, *self.store.rglob("*")):
            os.chown(path, _UID, _UID)
        host_key = self.folder / "host_key"
        if not host_key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)], check=True)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\nUsePAM no\nStrictModes no\n"
            f"AuthorizedKeysFile {key}.pub\nPasswordAuthentication no\nPermitRootLogin yes\n"
        )
        places = {"work": self.folder / "work", "store": self.store, "uid": _UID, "config": config}
        programs = {"sshd": shutil.which("sshd") or "/usr/sbin/sshd", "python": "/usr/bin/python3"}
        script = _AS_CAMERA.format(**places, **programs)
        with open(self.folder / "sshd.log", "ab") as log:
            process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdout=log, stderr=log)
        try:
            self._wait(process)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def known_host(self) -> str:
        """Return its line of ``known_hosts``."""
        return f"[127.0.0.1]:{self.port} {(self.folder / 'host_key.pub').read_text()}"

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if process.poll() is not None:
                break
            time.sleep(0.1)
        raise OSError(f"{self.name}: its SSH server does not start: {(self.folder / 'sshd.log').read_text()[-500:]}")
