"""``trailcam benchmark --on``: over a real sshd on this machine, which refuses, lacks things and vanishes."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam_benchmarks.session.session import BenchmarkPlan, measure
from trailcam_benchmarks.worker.spawn import LostError, Replies, WorkerError, request_one
from trailcam_benchmarks.worker.ssh_workers import connect
from trailcam_benchmarks.worker.worker import Request
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeployError

FEW = ["--frames", "2", "--rounds", "2", "--min-time", "0s"]


def install(folder: Path, text: str) -> str:
    """Put a program named trailcam on the other machine, whose Python finds what this one does."""
    program = folder / "trailcam"
    program.write_text(f"#!/bin/sh\nexport PYTHONPATH={os.pathsep.join(sys.path[1:])}\n{text}\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def program(tmp_path: Path) -> str:
    return install(tmp_path, f'exec {sys.executable} -m trailcam "$@"')


def left_behind() -> set[Path]:
    return set(Path("/var/tmp").glob("trailcam-benchmark.*"))


def test_the_figures_come_home_with_what_the_machine_is(
    sshd: Any, program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = left_behind()
    pictures = tmp_path / "pictures" / "elephant"
    pictures.mkdir(parents=True)
    assert cv2.imwrite(str(pictures / "a b'c.png"), np.full((48, 64, 3), 90, np.uint8))
    words = ["benchmark", str(BUILTIN_BUNDLE), "nowhere.bundle", *FEW, "--threads", "1,100000", "--json"]
    words += ["--on", "camera", "--ssh-config", str(sshd.settings.config), "--program", program]
    assert main([*words, "--data", str(tmp_path / "pictures")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["host"] == "camera"
    assert result["complete"] is True
    assert result["machine"]["system"]
    assert set(result["machine"]["packages"]) >= {"numpy", "ai-edge-litert"}
    assert result["before"].keys() == {"temperature_c", "frequency_mhz", "throttled", "load"}
    rows = {(row["bundle"], row["kind"], row["threads"]): row for row in result["rows"]}
    ours = rows[str(BUILTIN_BUNDLE), "model", 1]
    assert ours["state"] == "measured"
    assert ours["accuracy"]["n"] == 1
    assert ours["over_floor"]["value"] > 0
    assert "no such bundle" in rows["nowhere.bundle", "model", 1]["reason"]
    assert "100000 threads on" in rows[str(BUILTIN_BUNDLE), "model", 100000]["reason"]
    assert left_behind() == before


def test_a_connection_that_breaks_keeps_what_was_measured_and_marks_it(sshd: Any, program: str) -> None:
    asked = []
    with connect("camera", program, sshd.settings.config) as remote:
        remote.send([BUILTIN_BUNDLE], [])

        def run(request: Request) -> Replies:
            asked.append(request)
            if len(asked) == 4:
                sshd.vanish()
            yield from remote.run(request)

        result = measure(BenchmarkPlan((BUILTIN_BUNDLE,), frames=6, min_time_s=0, rounds=3), run, probe=remote.probe)
    assert len(asked) == 4  # a machine that is gone is not asked again
    assert not result.complete
    assert "connection to camera broke" in result.cut
    assert [row.state for row in result.rows] == ["partial", "partial"]
    assert all(row.latency is not None and row.reason == result.cut for row in result.rows)
    assert result.after.load is None
    shutil.rmtree(remote.folder)  # nobody could remove it over there


def test_a_process_that_is_killed_there_costs_its_row_and_not_the_connection(sshd: Any, tmp_path: Path) -> None:
    program = install(tmp_path, "kill -ABRT $$")
    with connect("camera", program, sshd.settings.config) as remote:
        remote.send([BUILTIN_BUNDLE], [])
        with pytest.raises(WorkerError, match="SIGABRT"):
            request_one(remote.run, Request("round", str(BUILTIN_BUNDLE), 1, frames=1))


def test_a_soak_comes_home_sample_by_sample(sshd: Any, program: str) -> None:
    with connect("camera", program, sshd.settings.config) as remote:
        remote.send([BUILTIN_BUNDLE], [])
        soak = remote.run(Request("soak", str(BUILTIN_BUNDLE), 1, seconds=300, sample_s=0.1))
        assert next(soak)["frames"] > 0  # long before its end
        soak.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('echo "trailcam: error: unrecognized arguments: --child" >&2; exit 2', "Install the same one there"),
        ("""echo '{"protocol": 0}'""", "Install the same one there"),
        ("exit 1", "does not describe itself"),
    ],
)
def test_a_trailcam_of_another_version_is_told_from_this_one(sshd: Any, tmp_path: Path, text: str, reason: str) -> None:
    with (
        connect("camera", install(tmp_path, text), sshd.settings.config) as remote,
        pytest.raises((DeployError, LostError), match=reason),
    ):
        remote.probe()


def test_a_machine_without_trailcam_says_how_to_get_it(sshd: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--on", "camera", "--ssh-config", str(sshd.settings.config), "--program", "/nowhere/trailcam"]
    assert main(["benchmark", *FEW, *words]) == 1
    said = capsys.readouterr().err
    assert "no Trailcam there (/nowhere/trailcam)" in said
    assert "pip install" in said


def test_a_host_key_that_is_not_known_is_never_accepted(sshd: Any) -> None:
    sshd.known_hosts.write_text("")
    config = sshd.settings.config.read_text()
    sshd.settings.config.write_text(config + " StrictHostKeyChecking no\n")  # not even where the user's file says so
    with pytest.raises(DeployError, match="host key is not known"), connect("camera", None, sshd.settings.config):
        pass
    assert sshd.known_hosts.read_text() == ""


def test_a_key_that_is_not_let_in_is_named(sshd: Any) -> None:
    (sshd.folder / "user_key.pub").write_text("")
    with pytest.raises(DeployError, match="ssh-copy-id camera"), connect("camera", None, sshd.settings.config):
        pass


def test_a_machine_that_is_off_is_a_clear_error(sshd: Any) -> None:
    sshd.vanish()
    with pytest.raises(DeployError, match="Is it switched on"), connect("camera", None, sshd.settings.config):
        pass


@pytest.mark.parametrize("host", ["-oProxyCommand=touch /tmp/x", "", " "])
def test_a_host_that_ssh_would_take_for_an_option_is_refused(host: str) -> None:
    with pytest.raises(DeployError, match="expected user@host"), connect(host):
        pass


def test_what_is_installed_there_is_all_that_can_be_measured_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--on", "camera", "--runtimes", "tflite-runtime"]) == 1
    assert "--on measures the interpreter that is installed there" in capsys.readouterr().err
