"""What the hosts of one training exchange: each computes its share of a batch, and all get the whole.

On one host every function returns what it was given.
"""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_train.input.share import WHOLE, Share


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


def gather(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the values of all hosts, stacked in their order, (hosts, ...).

    Args:
        value: of the same shape and dtype on every host.
    """
    if host_count() == 1:
        return value[None]
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(value))


def gather_texts(text: str) -> list[str]:
    """Return the texts of all hosts in their order.

    Args:
        text: such as a path; its length may differ from host to host.
    """
    content = os.fsencode(text)
    sizes = gather(np.array([len(content)], np.int32))[:, 0].tolist()
    padded = np.frombuffer(content.ljust(max(sizes), b"\0"), np.uint8)
    rows = gather(padded)  # (hosts, longest)
    return [os.fsdecode(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)]


def on_all_hosts(condition: bool) -> bool:
    """Return whether a condition holds on every host, so that all of them do the same."""
    return bool(gather(np.array([condition])).all())


def gather_rows(part: npt.NDArray[Any], size: int, share: Share) -> npt.NDArray[Any]:
    """Return all rows of a batch on every host.

    Args:
        part: (n, ...) of this host, the rows of ``share.within(0, size)``.
        size: rows of the batch.
        share: of this host.

    Returns:
        (size, ...) in the order of the batch.
    """
    if share.count == 1:
        return part
    padded = np.zeros((share.size(size), *part.shape[1:]), part.dtype)
    padded[: len(part)] = part
    return gather(padded).reshape(-1, *part.shape[1:])[:size]


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
    everywhere, marked = gather(answers), gather(marks)  # (hosts, batches, most, ...)
    known = marked.swapaxes(0, 1).reshape(-1)
    return everywhere.swapaxes(0, 1).reshape(-1, answers.shape[2])[known >= 0], known[known >= 0]
