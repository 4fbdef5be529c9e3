"""One training on several hosts: every host runs the same command and processes its part of every batch.

    KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=10.0.0.1:1234 KERAS_DISTRIBUTION_NUM_PROCESSES=2 \
        KERAS_DISTRIBUTION_PROCESS_ID=0 trailcam train DATA ...     # on the other host PROCESS_ID=1

The variables are defined by Keras, see ``keras.distribution.initialize``; ``launcher.py`` also knows those of Slurm and
Open MPI. Every host has all pictures and reads its part of each batch; gradients, and the answers on validation and
test pictures, are exchanged. After each step all hosts hold the same weights. Each writes the same run to a separate
folder, and ``--resume`` is the same command on all of them.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError
from trailcam_train.fitting.checkpoints import LAST_FILE, State, load_last
from trailcam_train.fitting.launcher import Launcher, find_launcher
from trailcam_train.input.share import WHOLE, Share


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
    keras.utils.set_random_seed(0)  # otherwise Keras has the hosts compute a number together
    try:
        keras.distribution.initialize()
    except (ValueError, RuntimeError, TypeError) as error:  # JAX raises RuntimeError for a timeout
        raise TrainError(
            f"host {launcher.number} of {launcher.count} cannot join the others: "
            f"{' '.join(str(error).split())[:300]}. Start the same command on every host within five minutes, with "
            "KERAS_DISTRIBUTION_JOB_ADDRESSES=ADDRESS:PORT of host 0, and PROCESS_ID from 0 on."
        ) from error
    import jax

    check_devices([device.process_index for device in jax.devices()])
    return launcher


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


def host_count() -> int:
    """Return the number of hosts of this training."""
    if keras.backend.backend() != "jax":
        return 1
    import jax

    return int(jax.process_count()) if jax.distributed.is_initialized() else 1


def local_share() -> Share:
    """Return this host's share of every batch."""
    count = host_count()
    if count == 1:
        return WHOLE
    import jax

    return Share(jax.process_index(), count)


def local_forward(model: keras.Model) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]:
    """Return a function that runs a network on this host alone, with the weights that it has now.

    Args:
        model: its weights may be spread over all hosts; each host holds all of them.

    Returns:
        A function from inputs (N, ...) to outputs (N, K).
    """
    import jax

    def here(variables: Any) -> list[Any]:
        return [variable.value.addressable_data(0) for variable in variables]

    trainable, fixed = here(model.trainable_variables), here(model.non_trainable_variables)
    call = jax.jit(lambda weights, rest, inputs: model.stateless_call(weights, rest, inputs, training=False)[0])
    return lambda inputs: np.asarray(call(trainable, fixed, inputs), np.float32)


def gather_batches(
    logits: Sequence[npt.NDArray[np.float32]], class_ids: Sequence[npt.NDArray[np.int32]], most: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return the answers of all hosts in the order of the stream.

    Args:
        logits: (n, K) of this host's part of each batch.
        class_ids: (n,) of the same.
        most: pictures of the largest part.

    Returns:
        (N, K) logits and (N,) class ids.
    """
    answers = np.zeros((len(logits), most, logits[0].shape[1]), np.float32)
    marks = np.full((len(logits), most), -1, np.int32)  # -1: no picture
    for number, (found, ids) in enumerate(zip(logits, class_ids, strict=True)):
        answers[number, : len(ids)], marks[number, : len(ids)] = found, ids
    everywhere, marked = _gather(answers), _gather(marks)  # (hosts, batches, most, ...)
    known = marked.swapaxes(0, 1).reshape(-1)
    return everywhere.swapaxes(0, 1).reshape(-1, answers.shape[2])[known >= 0], known[known >= 0]


def check_same_on_hosts(what: str, content: bytes) -> None:
    """Refuse to train if hosts have different inputs; raises on every host.

    Args:
        what: for the message.
        content: must be equal on every host.

    Raises:
        TrainError: it differs.
    """
    digests = _gather(np.frombuffer(hashlib.sha256(content).digest(), np.uint8))
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
    found = _gather(np.array([state.epoch, state.phase, len(state.blends)], np.int32)).tolist()
    if any(progress != found[0] for progress in found):
        epochs = ", ".join(str(epoch) for epoch, *_ in found)
        raise TrainError(
            f"the hosts stopped in different places, after epochs {epochs}. Copy {folder} of host "
            f"{found.index(max(found))} to the others, then resume on all."
        )


def _gather(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the values of all hosts, stacked in their order."""
    if host_count() == 1:
        return value[None]
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(value))
