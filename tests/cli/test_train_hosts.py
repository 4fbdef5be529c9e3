"""What ``trailcam train`` prints at its start about hosts and GPUs, and how one of several hosts ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trailcam.commands import train
from trailcam.commands.train.resume import describe_lost_host, print_resume_command
from trailcam.main import main


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, of whose driver the files are there, and no choice of the user among them."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.setattr(train, "_DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("backend", "used", "expected"),
    [
        ("tensorflow", True, "1 of 2 stay idle on the backend tensorflow: KERAS_BACKEND=jax trains on all of them"),
        ("tensorflow", False, "2 of 2 stay idle on the backend tensorflow: install a tensorflow that supports them"),
        ("jax", True, ""),
    ],
)
def test_gpus_that_stay_idle_are_one_line(
    backend: str, used: bool, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trailcam_train.models.runtime.has_gpu", lambda: used)

    train._report_idle_gpus(backend)

    assert capsys.readouterr().err.removeprefix("gpus").strip() == expected


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("visible", ["", "-1", "1"])
def test_gpus_that_the_user_hides_are_not_idle(
    visible: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("trailcam_train.models.runtime.has_gpu", lambda: visible == "1")

    train._report_idle_gpus("tensorflow")

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [("keras", "trailcam train --resume {0}"), ("auto", "trailcam train --resume {0} --hosts auto")],
)
def test_the_way_on_repeats_who_starts_the_hosts(
    hosts: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    (tmp_path / "big.partial").mkdir()

    print_resume_command(tmp_path / "big", hosts)

    assert f'Go on with "{expected.format(tmp_path / "big")}".' in capsys.readouterr().err
    assert f'go on with "{expected.format("RUN")}" on every host.' in describe_lost_host(hosts)


def test_an_interrupted_host_names_the_run_as_all_hosts_resume_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trailcam_train.fitting.multi_host.host_count", lambda: 2)
    (tmp_path / "big.host1.partial").mkdir()

    print_resume_command(tmp_path / "big.host1", "auto")

    assert f"--resume {tmp_path / 'big'} --hosts auto" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["big", "big.partial"])
def test_a_signal_after_the_last_rename_names_the_finished_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "big").mkdir()

    print_resume_command(tmp_path / name, "keras")

    run = tmp_path / "big"
    assert f'stopped, but {run} is finished. Convert it with "trailcam export {run}".' in capsys.readouterr().err


def test_half_a_set_of_variables_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "10.0.0.1:1234")
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "1")

    assert main(["train", str(tmp_path), "--recipe", "cnn"]) == 1

    assert "KERAS_DISTRIBUTION_NUM_PROCESSES is not set" in capsys.readouterr().err


def in_child(rest: str) -> "subprocess.Popen[str]":
    """Start a command that goes on with ``rest`` in a child."""
    words = f"""
import atexit, os, signal, sys, time
from trailcam.process.child import continue_in_child, end_without_libraries
code = continue_in_child("trailcam: another host is gone")
if code is not None:
    sys.exit(code)
{rest}
"""
    return subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_abort_in_native_code_is_explained() -> None:
    with in_child("os.abort()") as process:
        _, said = process.communicate(timeout=60)

    assert process.returncode == 1
    assert said.splitlines()[-1] == "trailcam: another host is gone"


def test_the_exit_code_of_the_child_is_that_of_the_command() -> None:
    with in_child("print('done'); sys.exit(3)") as process:
        printed, said = process.communicate(timeout=60)

    assert (process.returncode, printed, said) == (3, "done\n", "")


def test_a_command_that_is_asked_to_end_asks_its_child() -> None:
    rest = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('ready', flush=True); time.sleep(60)"
    with in_child(rest) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 7


def test_a_failed_host_does_not_wait_for_what_libraries_do_at_the_end() -> None:
    rest = "atexit.register(time.sleep, 60); end_without_libraries(1); print('why', file=sys.stderr)"
    with in_child(rest) as process:
        _, said = process.communicate(timeout=30)

    assert (process.returncode, said) == (1, "why\n")
