"""Fixtures for all tests: the profile of Hypothesis, shared photographs, tiny real models and bundles made of them."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from tests.sshd_server import Sshd, free_port, make_key

from trailcam_core.bundle.folder import MANIFEST_FILE, Bundle, describe_file, write_bundle
from trailcam_core.bundle.golden_file import GoldenVectors, golden_to_bytes
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.jobs import plugins
from trailcam_core.records import canonical_json
from trailcam_core.spec import GoldenEntry, InputSpec, Manifest, ModelEntry, OutputSpec

# No deadline and few examples: test machines are small and shared. Derandomised: a change is judged by the same
# examples everywhere.
settings.register_profile("trailcam", deadline=None, derandomize=True, max_examples=40)


settings.load_profile("trailcam")


# A shell starts what runs in its background with Ctrl-C ignored, and so do its children. Tests press it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the marks of opened models out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and models, which is not part of the project; the test is skipped without it."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TRAILCAM_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("needs photographs that are not part of the project: name their folder in TRAILCAM_TEST_DATA")
    return folder


Image = npt.NDArray[np.uint8]


LABELS = ("red", "green", "blue", "grey")


SPEC = InputSpec(32, 32, "crop")


_COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230), "grey": (128, 128, 128)}


class WriteBundle(Protocol):
    """Writes a bundle around one of the tiny models."""

    def __call__(self, path: Path, model: str = "uint8_logits", **changes: Any) -> Bundle:
        """Write at ``path``; ``changes`` replace fields of the manifest."""


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of tiny TFLite files; ``make_models.py`` in it says what each is."""
    return Path(__file__).parent / "core" / "fixtures"


@pytest.fixture(scope="session")
def colours() -> dict[str, Image]:
    """A 48x40 picture for each label of the tiny models."""
    return {label: np.full((40, 48, 3), colour, np.uint8) for label, colour in _COLOURS.items()}


@pytest.fixture(scope="session")
def golden(models: Path) -> GoldenVectors:
    """Golden vectors of the model ``uint8_logits``: plain colours and noise, none of them grey."""
    random = np.random.default_rng(0)
    plain = np.stack([np.full((32, 32, 3), colour, np.uint8) for colour in _COLOURS.values()])
    tint = np.array([[[1.0, 0.6, 0.2]], [[0.3, 0.9, 0.5]]])[:, :, None]
    images = np.concatenate([plain, np.uint8(random.integers(0, 256, (2, 32, 32, 3)) * tint)])
    model = TFLiteModel(models / "uint8_logits.tflite")
    source = random.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    logits = np.stack([model.invoke(image[None]) for image in images])
    return GoldenVectors(images, logits, source, fit_image(source, SPEC))


@pytest.fixture(scope="session")
def write_tiny_bundle(models: Path, golden: GoldenVectors, tmp_path_factory: pytest.TempPathFactory) -> WriteBundle:
    """Return a function that writes bundles."""

    def write(path: Path, model: str = "uint8_logits", **changes: Any) -> Bundle:
        content = golden_to_bytes(golden)
        golden_path = tmp_path_factory.mktemp("golden") / "golden.npz"
        golden_path.write_bytes(content)
        model_path = models / f"{model}.tflite"
        model_entry = describe_file(model_path, "model.tflite")
        golden_entry = describe_file(golden_path, "golden.npz")
        manifest = Manifest(
            name="tiny",
            version="1.0.0",
            model=ModelEntry(**vars(model_entry), format="tflite", scheme="int8"),
            golden=GoldenEntry(**vars(golden_entry), tolerance=0.2),
            input=SPEC,
            output=OutputSpec(LABELS, temperature=1.0, reject=None),
            metrics=None,
            drift=None,
            provenance={"made_by": "tests"},
        )
        return write_bundle(path, replace(manifest, **changes), model_path, content)

    return write


@pytest.fixture(scope="session")
def pristine_bundle(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: WriteBundle) -> Path:
    """A valid bundle that no test may touch."""
    return write_tiny_bundle(tmp_path_factory.mktemp("pristine") / "tiny.bundle").path


@pytest.fixture
def tiny_bundle(tmp_path: Path, pristine_bundle: Path) -> Path:
    """A valid bundle that a test may spoil."""
    return Path(shutil.copytree(pristine_bundle, tmp_path / "tiny.bundle"))


@pytest.fixture(scope="session")
def change_manifest() -> Callable[[Path, Callable[[dict[str, Any]], Any]], None]:
    """Return a function that changes the manifest of a bundle on disk and keeps its form canonical."""

    def change(bundle: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
        path = bundle / MANIFEST_FILE
        fields = json.loads(path.read_bytes())
        edit(fields)
        path.write_bytes(canonical_json(fields))

    return change


@pytest.fixture(scope="session")
def replace_file() -> Callable[[Path, str, bytes], None]:
    """Return a function that replaces a bundle's ``model`` or ``golden`` file, with digest and size to match."""

    def exchange(bundle: Path, part: str, content: bytes) -> None:
        path = bundle / MANIFEST_FILE
        fields = json.loads(path.read_bytes())
        fields[part] |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        (bundle / fields[part]["file"]).write_bytes(content)
        path.write_bytes(canonical_json(fields))

    return exchange


_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """One server; ``folder/bin`` goes before everything in the PATH of its sessions."""
    if _SSHD is None or shutil.which("ssh") is None:
        pytest.skip('no sshd on this machine: "apt-get install openssh-server"')
    folder = tmp_path / "sshd"
    (folder / "bin").mkdir(parents=True)
    make_key(folder / "host_key")
    make_key(folder / "user_key")
    port = free_port()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd as root wants it, and no package makes it at once
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile {folder}/pid\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/user_key.pub\nStrictModes no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nPermitRootLogin yes\nSetEnv PATH={folder}/bin:{os.environ['PATH']}\n"
    )
    (folder / "config").write_text(
        f"Host *\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/user_key\n  IdentitiesOnly yes\n"
        f"  IdentityAgent none\n  UserKnownHostsFile {folder}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking no\n"  # a user's bad habit: it must not count
    )
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([_SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log)
    server = Sshd(folder, port, process)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield server
    finally:
        server.vanish()


@pytest.fixture
def program(sshd: Sshd) -> Callable[[str, str], None]:
    """Put a shell script into the PATH of the server's sessions."""

    def write(name: str, script: str) -> None:
        path = sshd.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return write


# Why a test may be skipped in CI. Any other reason fails the run: a skip that nobody expects hides a broken machine.
_EXPECTED_SKIPS = re.compile("|".join((Path(__file__).parent / "expected_skips.txt").read_text().splitlines()[1:]))


_unexpected_skips: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the reasons of skips that are not expected."""
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not _EXPECTED_SKIPS.search(reason):
            _unexpected_skips.append(f"{report.nodeid}: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a CI run in which a test was skipped for an unexpected reason."""
    if os.environ.get("CI") and _unexpected_skips:
        print("\nSkipped for a reason that tests/expected_skips.txt does not have:", *_unexpected_skips, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def install_plugin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that installs entry points, each a group, a name and an object."""
    found: list[EntryPoint] = []
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry for entry in found if entry.group == group])

    def add(group: str, name: str, value: str) -> None:
        found.append(EntryPoint(name, value, group))

    return add
