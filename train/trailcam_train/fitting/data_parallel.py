"""Data-parallel training: every device holds the whole network and processes an equal part of each batch.

The devices are those of this host, or of all hosts that train together, see ``multi_host.py``.

This is the distribution of Keras, which supports JAX alone. For TensorFlow and torch its documentation refers to
``tf.distribute.MirroredStrategy`` and ``DistributedDataParallel``, which need other training loops; on these two
backends a training uses one device.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from trailcam_core.errors import TrainError
from trailcam_train.fitting.gather import host_count
from trailcam_train.recipe.schema import AUTO, Recipe


def choose_devices(devices: str, found: int, sizes: tuple[int, ...], hosts: int = 1) -> int:
    """Return the number of devices to use.

    Args:
        devices: ``auto`` for as many as can share the batch evenly, or a number.
        found: how many there are, on all hosts.
        sizes: numbers of pictures that have to be shared evenly.
        hosts: several train with all their devices or not at all: one without would wait for nothing.

    Raises:
        TrainError: there are fewer devices, they cannot share the batch evenly, or some of several hosts' are left out.
    """
    if hosts > 1 and devices not in (AUTO, str(found)):
        raise TrainError(
            f"devices is {devices}, but the {hosts} hosts have {found} and train with all of them. Leave it at auto."
        )
    if hosts > 1:
        devices = str(found)
    if devices == AUTO:
        return max(count for count in range(1, found + 1) if all(size % count == 0 for size in sizes))
    wanted = int(devices)
    if wanted > found:
        raise TrainError(f"devices is {wanted}, but there {'is' if found == 1 else 'are'} {found} here. Ask for fewer.")
    uneven = [size for size in sizes if size % wanted]
    if uneven:
        raise TrainError(
            f"devices is {wanted}, which cannot share {uneven[0]} pictures evenly. Choose a batch_size, and an "
            f"outliers_per_batch, that {wanted} divides."
        )
    return wanted


@contextmanager
def data_parallel(recipe: Recipe) -> Iterator[int]:
    """Inside the block networks are built and trained on all the devices that the recipe asks for; give their number.

    Raises:
        TrainError: the backend cannot do it, or as for ``choose_devices``.
    """
    if keras.backend.backend() != "jax":
        if recipe.devices not in (AUTO, "1"):
            raise TrainError(
                f"devices is {recipe.devices}: on {keras.backend.backend()} a training takes one. "
                'Set KERAS_BACKEND=jax for more, or "--set devices=auto".'
            )
        yield 1
        return
    names, hosts = keras.distribution.list_devices(), host_count()
    sizes = (recipe.batch_size, *([recipe.outliers_per_batch] if recipe.outliers_weight else []))
    count = choose_devices(recipe.devices, len(names), sizes, hosts)
    if count == 1:
        yield 1
        return
    with _distributed(keras.distribution.DataParallel(devices=names[:count])):
        yield count


@contextmanager
def on_one_device() -> Iterator[None]:
    """Inside the block networks are loaded on one device: what is judged comes in batches that no number divides."""
    with _distributed(None):
        yield


@contextmanager
def _distributed(distribution: Any) -> Iterator[None]:
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
