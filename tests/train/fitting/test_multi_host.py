"""Two hosts that train together: two processes on this machine, which talk as hosts do."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.fitting.gather import gather_batches, host_count, local_share
from trailcam_train.fitting.launcher import Launcher, find_launcher
from trailcam_train.fitting.multi_host import (
    check_devices,
    check_same_on_hosts,
    common_run,
    host_run,
    join_hosts,
    lost_host_named,
    resume_command,
)
from trailcam_train.input.share import Share

SCRIPT = Path(__file__).parents[1] / "two_hosts.py"
SLURM_TASK = Path(__file__).parents[1] / "slurm_task.py"
ALONE = Path(__file__).parents[1] / "tiny_training.py"


def _environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([*sys.path, str(SCRIPT.parent)])
    return {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path, **more}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What each host printed: its figures, and what it refused."""
    pytest.importorskip("jax")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    running = []
    with ExitStack() as stack:
        for number in range(2):
            folder = tmp_path_factory.mktemp(f"host{number}")
            environment = _environment(
                KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
                KERAS_DISTRIBUTION_NUM_PROCESSES="2",
                KERAS_DISTRIBUTION_PROCESS_ID=str(number),
            )
            command = [sys.executable, str(SCRIPT), str(folder)]
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            running.append(process)
        found = []
        for process in running:
            out, err = process.communicate(timeout=500)
            assert process.returncode == 0, err[-3000:]
            found.append([json.loads(line) for line in out.splitlines() if line.startswith("{")])
    return found


def test_each_host_takes_its_half_of_every_batch(hosts: Any) -> None:
    for figures, said, *_ in hosts:
        assert said["hosts"] == figures["devices"] == 2
        for placed in figures["shards"]:  # images, targets, weights; only what lies on this host
            assert [shape[0] for _, shape in placed] == [4]


def test_both_hosts_learn_what_one_learns_alone(hosts: Any, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ALONE), str(tmp_path), "auto"],
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    alone = json.loads(done.stdout.splitlines()[-1])
    (first, *_), (second, *_) = hosts
    assert first["whole"] == second["whole"]
    for name in ("losses", "validation"):
        np.testing.assert_allclose(first["whole"][name], alone["whole"][name], rtol=1e-3)  # sums in another order


def test_both_hosts_go_on_after_a_kill(hosts: Any) -> None:
    for figures, *_ in hosts:
        assert figures["resumed"] == figures["whole"]


def test_hosts_that_differ_are_all_told(hosts: Any) -> None:
    for _, said, *_ in hosts:
        split, places = said["refused"]
        assert "host 1 has another split than host 0" in split
        assert "after epochs 2, 0. Copy the content of" in places
        assert f"{Path('host00', 'whole')} of host 0 to" in places
        assert f"{Path('host10', 'nowhere')} of host 1, then" in places


def test_rows_of_an_uneven_batch_come_to_every_host(hosts: Any) -> None:
    for _, said, *_ in hosts:
        assert said["gathered"] == np.arange(10).reshape(5, 2).tolist()


def test_a_host_that_dies_is_named_to_the_others(hosts: Any) -> None:
    (_, _, said), _ = hosts
    assert "another host has ended" in said["lost"]
    assert '"trailcam train --resume runs/big" on every host' in said["lost"]


def test_an_error_that_no_other_host_caused_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="Connection"), lost_host_named(Path("runs/big")):
        raise ValueError("Connection reset, on one host")
    monkeypatch.setattr("trailcam_train.fitting.multi_host.host_count", lambda: 2)
    with pytest.raises(ValueError, match="shapes"), lost_host_named(Path("runs/big")):
        raise ValueError("shapes do not match")
    with pytest.raises(TrainError, match="another host has ended"), lost_host_named(Path("runs/big")):
        raise ValueError("Gloo AllGather failed: Connection reset by peer")


def test_one_host_is_alike_and_takes_all() -> None:
    check_same_on_hosts("split", b"ours")
    assert host_count() == 1
    assert local_share().count == 1


def test_answers_of_uneven_batches_are_gathered_in_their_order() -> None:
    logits = [np.arange(6, dtype=np.float32).reshape(3, 2), np.ones((1, 2), np.float32)]

    found, ids = gather_batches(logits, [np.array([0, 1, 1], np.int32), np.array([0], np.int32)], most=3)

    np.testing.assert_array_equal(found, np.concatenate(logits))
    assert ids.tolist() == [0, 1, 1, 0]


def test_hosts_with_unlike_numbers_of_devices_are_refused() -> None:
    check_devices([0, 0, 1, 1])
    with pytest.raises(TrainError, match="host 0 has 2, host 1 has 1"):
        check_devices([0, 0, 1])


KERAS = {
    "KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1:1234,10.0.0.2:1234",
    "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    "KERAS_DISTRIBUTION_PROCESS_ID": "1",
}
SLURM = {"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_LOCALID": "0", "SLURM_STEP_NODELIST": "node[1-4]"}
OPEN_MPI_5 = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}
OPEN_MPI = {**OPEN_MPI_5, "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1:34911"}
ADDRESS = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1:1234"}


def without(environment: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.endswith(name)}


@pytest.mark.parametrize(
    ("environment", "auto", "expected"),
    [
        ({}, True, None),
        ({"KERAS_DISTRIBUTION_NUM_PROCESSES": ""}, True, None),
        (SLURM, False, None),
        (SLURM | ADDRESS, False, None),
        (SLURM, True, "host 2 of 4, started by Slurm"),
        ({"SLURM_NTASKS": "1"}, True, "Slurm started one process: the training runs on this host alone"),
        (OPEN_MPI, True, "host 0 of 2, started by Open MPI"),
        (OPEN_MPI_5 | ADDRESS, True, "host 0 of 2, started by Open MPI"),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0", **OPEN_MPI}, True, "host 0 of 2, started by Open MPI"),
        (KERAS | SLURM, True, "host 1 of 2, started by Keras' variables"),
    ],
)
def test_who_started_the_hosts_is_found(environment: dict[str, str], auto: bool, expected: str | None) -> None:
    launcher = find_launcher(environment, auto)

    assert (None if launcher is None else str(launcher)) == expected


def test_what_jax_is_given_is_that_of_the_launcher() -> None:
    assert find_launcher(KERAS, False) == Launcher(
        "Keras' variables", "KERAS_DISTRIBUTION_NUM_PROCESSES", 2, 1, "10.0.0.1:1234"
    )
    assert find_launcher(OPEN_MPI_5 | ADDRESS, True) == Launcher(
        "Open MPI", "OMPI_COMM_WORLD_SIZE", 2, 0, "10.0.0.1:1234", 0
    )
    assert find_launcher(SLURM, True) == Launcher("Slurm", "SLURM_NTASKS", 4, 2, None, 0)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (without(KERAS, "NUM_PROCESSES"), "NUM_PROCESSES is not set, expected a whole number of 1 or more. Set"),
        (ADDRESS, "NUM_PROCESSES is not set"),
        (KERAS | {"KERAS_DISTRIBUTION_NUM_PROCESSES": "two"}, 'NUM_PROCESSES is "two", expected a whole number of 1'),
        (KERAS | {"KERAS_DISTRIBUTION_NUM_PROCESSES": " 2"}, 'NUM_PROCESSES is " 2"'),
        (KERAS | {"KERAS_DISTRIBUTION_NUM_PROCESSES": "0"}, 'NUM_PROCESSES is "0"'),
        (without(KERAS, "PROCESS_ID"), "PROCESS_ID is not set, expected a whole number from 0 to 1"),
        (KERAS | {"KERAS_DISTRIBUTION_PROCESS_ID": "2"}, 'PROCESS_ID is "2", expected a whole number from 0 to 1'),
        (without(KERAS, "ADDRESSES"), "JOB_ADDRESSES is not set, expected HOST:PORT of host 0"),
        (KERAS | {"KERAS_DISTRIBUTION_JOB_ADDRESSES": "oak"}, 'JOB_ADDRESSES is "oak", expected HOST:PORT'),
        (OPEN_MPI_5, "which Open MPI 5 does not state. Set KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT"),
        (without(SLURM, "STEP_NODELIST"), "SLURM_NTASKS is 4, but SLURM_STEP_NODELIST is not set.*Start it with srun"),
        (SLURM | {"SLURM_PROCID": "4"}, 'SLURM_PROCID is "4", expected a whole number from 0 to 3'),
    ],
)
def test_variables_that_would_let_each_host_train_alone_are_refused(environment: dict[str, str], expected: str) -> None:
    with pytest.raises(TrainError, match=expected):
        find_launcher(environment, auto=True)


def test_a_job_of_one_task_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_PROCID", "0")

    assert join_hosts(auto=True) == Launcher("Slurm", "SLURM_NTASKS", 1, 0)


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KERAS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")
    with pytest.raises(TrainError, match=r"NUM_PROCESSES is 2: .*backend jax alone"):
        join_hosts()


def test_a_host_that_cannot_join_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    jax = pytest.importorskip("jax")
    asked: list[Any] = []

    def refuse(*given: Any, local_device_ids: Any, **_limits: Any) -> None:
        asked.append((*given, local_device_ids))
        raise RuntimeError("DEADLINE_EXCEEDED")

    monkeypatch.setattr(jax.distributed, "initialize", refuse)
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    monkeypatch.setattr("keras.utils.set_random_seed", lambda seed: None)
    monkeypatch.delenv("JAX_LOCAL_DEVICE_IDS", raising=False)
    for variables, hint in ((OPEN_MPI_5 | ADDRESS, ""), (KERAS, ", and KERAS_DISTRIBUTION_PROCESS_ID from 0 on")):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(TrainError, match=rf"JOB_ADDRESSES=HOST:PORT of host 0{hint}\.$"):
            join_hosts(auto=True)

    assert asked == [("10.0.0.1:1234", 2, 0, 0), ("10.0.0.1:1234", 2, 1, None)]


@pytest.mark.parametrize("given", ["runs/big", "runs/big.partial", "runs/big.host1", "runs/big.host1.partial"])
def test_a_run_of_several_hosts_has_one_name_and_a_folder_for_each(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (host_run(Path(given)), common_run(Path(given))) == (Path(given), Path(given))  # on one host
    monkeypatch.setattr("trailcam_train.fitting.multi_host.host_count", lambda: 3)
    for number, name in enumerate(("big", "big.host1", "big.host2")):
        monkeypatch.setattr("trailcam_train.fitting.multi_host.local_share", lambda number=number: Share(number, 3))
        assert host_run(Path(given)) == Path("runs", name)
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "3")
    assert resume_command(Path(given)) == "trailcam train --resume runs/big"
    monkeypatch.delenv("KERAS_DISTRIBUTION_NUM_PROCESSES")
    assert resume_command(Path(given)) == "trailcam train --resume runs/big --hosts auto"


@dataclass(frozen=True)
class Ended:
    """How a task ended."""

    code: int
    out: str
    err: str


def _free_slurm_job() -> int:
    """Return the number of a job whose port, as JAX computes it, is free."""
    for number in range(os.getpid() % 4096, 8192):
        with socket.socket() as tried:
            try:
                tried.bind(("", number % 4096 + 61440))
            except OSError:
                continue
            return number
    raise AssertionError("no free port")


def _run_slurm_job(folder: Path, *tasks: list[str], kill_last_at: str = "inf") -> list[Ended]:
    """Run one process for each list of words in one folder, as srun does on one machine."""
    job = {"SLURM_JOB_ID": str(_free_slurm_job()), "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_NTASKS": str(len(tasks))}
    running = []
    with ExitStack() as stack:
        for number, words in enumerate(tasks):
            kill_at = kill_last_at if number == len(tasks) - 1 else "inf"
            task = {"SLURM_PROCID": str(number), "SLURM_LOCALID": str(number), "KILL_AT": kill_at}
            command = [sys.executable, str(SLURM_TASK), "train", *words, "--hosts", "auto"]
            process = subprocess.Popen(
                command,
                env=_environment(**job, **task),
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            running.append(process)
        printed = [process.communicate(timeout=500) for process in running]
    return [Ended(process.returncode, *texts) for process, texts in zip(running, printed, strict=True)]


def test_tasks_of_a_slurm_job_train_in_one_folder_and_go_on_after_one_was_killed(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    settings = ("input.height=32", "input.width=32", "phases.all.epochs=2", "batch_size=8")
    words = [str(photos), "--recipe", "cnn", *(word for setting in settings for word in ("--set", setting))]
    runs = tmp_path / "runs"

    first, second = _run_slurm_job(tmp_path, [*words, "--name", "big"], [*words, "--name", "later"], kill_last_at="0.6")

    assert "host 1 of 2, started by Slurm" in second.err
    assert (first.code, second.code) == (1, 137), first.err[-3000:]
    assert first.err.count("another host has ended") == 1
    assert "Traceback" not in first.err
    assert '"trailcam train --resume runs/big --hosts auto" on every host' in first.err
    assert sorted(path.name for path in runs.iterdir()) == ["big.host1.partial", "big.partial"]

    resume = ["--resume", "runs/big"]
    for ended in _run_slurm_job(tmp_path, resume, resume):
        assert ended.code == 0, ended.err[-3000:]
    histories = [
        [line.rpartition(",")[0] for line in (runs / name / "history.csv").read_text().splitlines()]
        for name in ("big", "big.host1")
    ]
    assert len(histories[0]) == 3  # a heading, two epochs
    assert histories[0] == histories[1]
