"""Two hosts that train together: two processes on this machine, which talk as hosts do."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
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
    join_hosts,
    lost_host_named,
)

SCRIPT = Path(__file__).parents[1] / "two_hosts.py"
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
        assert "after epochs 2, 0. Copy" in places
        assert "of host 0 to the others" in places


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


@pytest.mark.parametrize(
    ("environment", "auto", "expected"),
    [
        ({}, True, None),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, False, None),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, True, "host 2 of 4, started by Slurm"),
        ({"SLURM_NTASKS": "1"}, True, "Slurm started one process: the training runs on this host alone"),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}, True, "host 0 of 2, started by Open MPI"),
        (
            {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2", "KERAS_DISTRIBUTION_PROCESS_ID": "1", "SLURM_NTASKS": "4"},
            True,
            "host 1 of 2, started by Keras' variables",
        ),
    ],
)
def test_who_started_the_hosts_is_found(environment: dict[str, str], auto: bool, expected: str | None) -> None:
    launcher = find_launcher(environment, auto)

    assert (None if launcher is None else str(launcher)) == expected


def test_a_job_of_one_task_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_PROCID", "0")

    assert join_hosts(auto=True) == Launcher("Slurm", "SLURM_NTASKS", 1, "0")


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")
    with pytest.raises(TrainError, match=r"NUM_PROCESSES is 2: .*backend jax alone"):
        join_hosts()


def test_incomplete_variables_are_refused_with_what_is_missing() -> None:
    pytest.importorskip("jax")
    words = "from trailcam_train.fitting.multi_host import join_hosts; join_hosts()"
    environment = _environment(KERAS_DISTRIBUTION_NUM_PROCESSES="2", KERAS_DISTRIBUTION_PROCESS_ID="0")
    done = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, text=True, check=False)
    assert "host 0 of 2 cannot join the others" in done.stderr
    assert "JOB_ADDRESSES=ADDRESS:PORT of host 0" in done.stderr
