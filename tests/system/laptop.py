"""The operator's laptop in a rehearsal: keys, known hosts, bundles, and the command as a person types it."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import roots

from trailcam_core.bundle.folder import open_bundle, write_bundle
from trailcam_core.bundle.golden_file import golden_to_bytes
from trailcam_core.classifier import BUILTIN_BUNDLE

_CHANGED_BYTES = 200_000  # of a model that differs: what a delta against the built-in one costs at least
CHANNEL = "meadow"
SLOWLY = ("--max-latency-ms", "60000", "--wait", "900")  # what else this machine does is not what is rehearsed
BECAUSE = ("--i-know", "a rehearsal: the built-in model under another name")


class Laptop:
    """Runs ``trailcam`` of this checkout with an SSH configuration of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = ("-m", "trailcam")
        folder.mkdir(parents=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
        self.config = folder / "config"
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.touch()
        self.config.write_text(
            f"Host *\n  User pi\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  GlobalKnownHostsFile /dev/null\n"
        )

    def may_log_in(self, disk: Path) -> None:
        """Put the laptop's key onto the disk of a device, where only root may write."""
        folder = disk / "upper/etc/ssh"
        (folder / "sshd_config.d").mkdir(parents=True)
        (folder / "sshd_config.d/rig.conf").write_text("AuthorizedKeysFile /etc/ssh/rig_keys\n")
        (folder / "rig_keys").write_bytes((self.folder / "key.pub").read_bytes())

    def knows(self, root: Path, address: str) -> None:
        """Learn the host key of a device by a way that is trusted: from its disk."""
        key = (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
        with open(self.known_hosts, "a") as file:
            file.write(f"{address} {key}")

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Begin a command line and return its process."""
        paths = [
            str(roots.CHECKOUT / name)
            for name in ("core", "edge", "train", "export", "benchmarks", "deploy", "archive", "cli")
        ]
        return subprocess.Popen(
            [sys.executable, *self.program, *words, *self._common(words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": ":".join(paths)},
        )

    def run(self, *words: str, timeout_s: float = 1800) -> "subprocess.CompletedProcess[str]":
        """Run a command line to its end."""
        with self.start(*words) as process:
            try:
                output, errors = process.communicate(timeout=timeout_s)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    def states(self, *words: str) -> dict[str, dict[str, object]]:
        """Return the output of "deploy status" for each device."""
        done = self.run("deploy", "status", "--json", *words)
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return {row["host"]: row for row in rows}

    def bundle(self, version: str, good: bool = True) -> Path:
        """Make a variant of the built-in bundle: as good, but another file; or one whose answers are wrong."""
        path = self.folder / f"{version}.bundle"
        builtin = open_bundle(BUILTIN_BUNDLE)
        model = self.folder / builtin.manifest.model.file
        # Bytes after the end of a TFLite file are not read: another file with the same answers.
        noise = np.random.default_rng(int(re.sub(r"\D", "", version))).bytes(_CHANGED_BYTES)
        model.write_bytes(builtin.model_path.read_bytes() + noise)
        vectors = builtin.read_golden()
        golden = golden_to_bytes(vectors if good else replace(vectors, logits=vectors.logits[:, ::-1].copy()))
        manifest = replace(
            builtin.manifest,
            name=CHANNEL,
            version=version,
            model=replace(builtin.manifest.model, **_described(model.read_bytes())),
            golden=replace(builtin.manifest.golden, **_described(golden)),
        )
        return write_bundle(path, manifest, model, golden).path

    def _common(self, words: Sequence[str]) -> list[str]:
        if words[0] != "deploy":
            return []
        fleet = ["--fleet", str(self.folder / "fleet")]
        return fleet if words[1] == "sdcard" else ["--ssh-config", str(self.config), *fleet]


def _described(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
