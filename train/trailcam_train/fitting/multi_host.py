"""One training on several hosts: every host runs the same command and processes its part of every batch.

    KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=10.0.0.1:1234 KERAS_DISTRIBUTION_NUM_PROCESSES=2 \
        KERAS_DISTRIBUTION_PROCESS_ID=0 trailcam train DATA ...     # on the other host PROCESS_ID=1

The variables are defined by Keras, see ``keras.distribution.initialize``. Every host has all pictures and reads the
whole of each batch; only gradients are exchanged. After each step all hosts hold the same weights. Each writes the same
run to a separate folder, and ``--resume`` is the same command on all of them.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError
from trailcam_train.fitting.checkpoints import LAST_FILE, State, load_last

_COUNT, _NUMBER = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"


def join_hosts() -> None:
    """Wait for the other hosts, if the environment names any, before anything is computed.

    Keras' random state is seeded on the way, with the same number on each.

    Raises:
        TrainError: the backend cannot do it, the variables are incomplete, or a host does not respond.
    """
    if os.environ.get(_COUNT, "1") == "1" or host_count() > 1:
        return
    if keras.backend.backend() != "jax":
        raise TrainError(
            f"{_COUNT} is {os.environ[_COUNT]}: Keras distributes a training on the backend jax alone. Set "
            "KERAS_BACKEND=jax, or unset it to train on this host."
        )
    keras.utils.set_random_seed(0)  # otherwise Keras has the hosts compute a number together
    try:
        keras.distribution.initialize()
    except (ValueError, RuntimeError, TypeError) as error:  # JAX raises RuntimeError for a timeout
        raise TrainError(
            f"host {os.environ.get(_NUMBER, '?')} of {os.environ[_COUNT]} cannot join the others: "
            f"{' '.join(str(error).split())[:300]}. Start the same command on every host within five minutes, with "
            "KERAS_DISTRIBUTION_JOB_ADDRESSES=ADDRESS:PORT of host 0, and PROCESS_ID from 0 on."
        ) from error


def host_count() -> int:
    """Return the number of hosts of this training."""
    if keras.backend.backend() != "jax":
        return 1
    import jax

    return int(jax.process_count()) if jax.distributed.is_initialized() else 1


def local_part(*arrays: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """Return this host's part of the arrays of a batch, along their first axis, which all hosts share evenly."""
    count = host_count()
    if count == 1:
        return arrays
    import jax

    part = len(arrays[0]) // count
    start = jax.process_index() * part
    return tuple(array[start : start + part] for array in arrays)


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
