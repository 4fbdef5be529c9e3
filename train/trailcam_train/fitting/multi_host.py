"""One training on several hosts: every host runs the same command and processes its part of every batch.

    KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=10.0.0.1:1234 KERAS_DISTRIBUTION_NUM_PROCESSES=2 \
        KERAS_DISTRIBUTION_PROCESS_ID=0 trailcam train DATA ...     # on the other host PROCESS_ID=1

The variables are defined by Keras, see ``keras.distribution.initialize``; ``launcher.py`` also knows those of Slurm and
Open MPI. Every host has all pictures and reads its part of each batch; gradients, and the answers on validation and
test pictures, are exchanged. After each step all hosts hold the same weights. Each writes the same run to a separate
folder, as the tasks of a Slurm job share one disk: host 0 to ``RUN``, host N to ``RUN.hostN``. ``--resume RUN`` is the
same command on all of them.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from trailcam_core.datasets.run_directory import PARTIAL_SUFFIX
from trailcam_core.errors import TrainError
from trailcam_core.errors.command_line import command_line
from trailcam_train.fitting.checkpoints import LAST_FILE, State, load_last
from trailcam_train.fitting.gather import gather, gather_texts, host_count, local_share
from trailcam_train.fitting.launcher import ADDRESSES, COUNT, NUMBER, Launcher, find_launcher

LOST_AFTER_S = 60  # without a heartbeat of a host; JAX's own 100 s leave a cluster idle for longer
_SHUTDOWN_S = 120  # for the others to end too: reports are written at unlike speeds
_SIGNS_OF_A_LOSS = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "oordination service", "Connection")


def join_hosts(auto: bool = False) -> Launcher | None:
    """Wait for the other hosts, if the environment names any, before anything is computed; return who started them.

    Keras' random state is seeded on the way, with the same number on each.

    Args:
        auto: whether the variables of Slurm and Open MPI count beside those of Keras.

    Raises:
        TrainError: the backend cannot do it, the variables are incomplete, a host does not respond, or the hosts have
            unlike numbers of devices.
    """
    launcher = find_launcher(os.environ, auto)
    if launcher is None or launcher.count == 1 or host_count() > 1:
        return launcher
    if keras.backend.backend() != "jax":
        raise TrainError(
            f"{launcher.variable} is {launcher.count}: Keras distributes a training on the backend jax alone. Set "
            "KERAS_BACKEND=jax, or unset it to train on this host."
        )
    keras.utils.set_random_seed(0)  # the hosts must draw the same numbers
    import jax

    chosen = os.environ.get("JAX_LOCAL_DEVICE_IDS")  # which JAX reads itself
    try:
        # Not by keras.distribution.initialize: it leaves JAX's limit of 100 s for a host that does not respond.
        jax.distributed.initialize(
            launcher.address,
            launcher.count,
            launcher.number,
            local_device_ids=None if chosen else launcher.local,
            heartbeat_timeout_seconds=LOST_AFTER_S,
            shutdown_timeout_seconds=_SHUTDOWN_S,
        )
    except (ValueError, RuntimeError, TypeError) as error:  # JAX raises RuntimeError for a timeout
        numbers = f", and {NUMBER} from 0 on" if launcher.variable == COUNT else ""
        raise TrainError(
            f"host {launcher.number} of {launcher.count} cannot join the others: "
            f"{' '.join(str(error).split())[:300]}. Start the same command on every host within five minutes, with "
            f"{ADDRESSES}=HOST:PORT of host 0{numbers}."
        ) from error
    check_devices([device.process_index for device in jax.devices()])
    return launcher


def agree_on_run(run: Path) -> Path:
    """Return this host's folder of a new run: that of ``host_run``, with the name that host 0 gives.

    Args:
        run: as this host would name it, perhaps by its clock.

    Raises:
        TrainError: another host has ended.
    """
    with lost_host_named(run):
        return host_run(run.with_name(gather_texts(run.name)[0]))


def host_run(run: Path) -> Path:
    """Return this host's folder of a run: ``RUN`` on host 0, ``RUN.hostN`` on host N, as they may share a disk."""
    number = local_share().index
    common = common_run(run)
    return common.with_name(f"{common.name}.host{number}") if number else common


def common_run(run: Path) -> Path:
    """Return a run as it is named to every host: the folder of host 0; on one host as it was given."""
    if host_count() == 1:
        return run
    return run.with_name(re.sub(r"\.host\d+$", "", run.name.removesuffix(PARTIAL_SUFFIX)))


def resume_command(run: Path) -> str:
    """Return the command line that resumes a run, the same for every host."""
    by_job = host_count() > 1 and not os.environ.get(COUNT)
    return command_line("train", "--resume", common_run(run), *(("--hosts", "auto") if by_job else ()))


@contextmanager
def lost_host_named(run: Path) -> Iterator[None]:
    """Inside the block the error of an exchange with a host that has ended names the next step.

    A host that still holds its connections but does not respond, because it is stopped or its network is gone, is
    noticed by JAX after ``LOST_AFTER_S``; JAX then ends the other processes itself.

    Args:
        run: to resume.

    Raises:
        TrainError: another host has ended.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:  # XLA's errors are the one or the other, by who waited
        text = " ".join(str(error).split())
        if host_count() == 1 or not any(sign in text for sign in _SIGNS_OF_A_LOSS):
            raise
        raise TrainError(
            f"another host has ended, so this one cannot go on: {text[:120]}. Its message has the reason. The "
            "checkpoints of the last finished epoch are kept: go on with "
            f'"{resume_command(run)}" on every host, or train again if there are none.'
        ) from error


def check_devices(hosts: Sequence[int]) -> None:
    """Refuse hosts with unlike numbers of devices: every batch is shared evenly by devices.

    Args:
        hosts: the host of each device.

    Raises:
        TrainError: the numbers differ.
    """
    counts = Counter(hosts)
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"host {host} has {counts[host]}" for host in sorted(counts))
        raise TrainError(
            f"the hosts have unlike numbers of devices: {listed}. Hide some, for example with CUDA_VISIBLE_DEVICES, so "
            "that all have the same number."
        )


def check_one_host(what: str) -> None:
    """Refuse several hosts for what is trained on one; joins them first, so that every host refuses.

    Args:
        what: for the message.

    Raises:
        TrainError: there are several, or as for ``join_hosts``.
    """
    join_hosts()
    if (count := host_count()) > 1:
        raise TrainError(
            f"{what}: an earlier run is taken up on one host, here are {count}. The last layer learns in minutes: run "
            "the command on one host, without --hosts and without the variables KERAS_DISTRIBUTION_*."
        )


def check_same_on_hosts(what: str, content: bytes) -> None:
    """Refuse to train if hosts have different inputs; raises on every host.

    Args:
        what: for the message.
        content: must be equal on every host.

    Raises:
        TrainError: it differs.
    """
    digests = gather(np.frombuffer(hashlib.sha256(content).digest(), np.uint8))
    other = [number for number, digest in enumerate(digests) if (digest != digests[0]).any()]
    if other:
        raise TrainError(
            f"host {other[0]} has another {what} than host 0. Give every host the same command and the same pictures; "
            "--split FILE gives all the same split."
        )


def check_same_epoch(folder: Path) -> None:
    """Refuse to resume from checkpoints of different epochs; raises on every host.

    Raises:
        TrainError: the epochs differ, or a checkpoint is damaged.
    """
    if host_count() == 1:
        return
    state = load_last(folder)[0] if (folder / LAST_FILE).exists() else State()
    found = gather(np.array([state.epoch, state.phase, len(state.blends)], np.int32)).tolist()
    if any(progress != found[0] for progress in found):
        epochs = ", ".join(str(epoch) for epoch, *_ in found)
        folders, last = gather_texts(str(folder)), found.index(max(found))
        targets = ", ".join(f"{name} of host {n}" for n, name in enumerate(folders) if found[n] != found[last])
        raise TrainError(
            f"the hosts stopped in different places, after epochs {epochs}. Copy the content of {folders[last]} of "
            f"host {last} to {targets}, then resume on all."
        )
