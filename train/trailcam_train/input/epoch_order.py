"""Which picture comes when in an epoch: a function of seed and epoch alone, so an epoch can be taken up anywhere.

``natural`` shows every picture once. ``balanced`` shows every class as often: N // K pictures of each, where N is the
number of pictures and K that of classes. The pictures of a class are dealt in shuffled rounds that run on from epoch to
epoch: none is shown again before all of its class were, so a small class repeats and of a large one nothing is lost.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["SAMPLINGS", "balanced_order", "natural_order", "pick", "turns"]

SAMPLINGS = ("natural", "balanced")

Positions = npt.NDArray[np.intp]

_ORDER, _ROUND = 0, 2  # first word of each seed, so that what is drawn here and in the pipeline (1) is drawn apart


def natural_order(count: int, seed: int, epoch: int) -> Positions:
    """Return the positions 0 to count - 1, (count,), in the order of an epoch."""
    return np.random.default_rng([_ORDER, seed, epoch]).permutation(count)


def balanced_order(class_ids: npt.NDArray[np.int32], seed: int, epoch: int) -> Positions:
    """Return positions in ``class_ids``, (K * (N // K),) and at least K, each class as often, in the order of an epoch.

    Args:
        class_ids: (N,) of the pictures.
        seed: of all epochs.
        epoch: counts from 0.
    """
    present = np.unique(class_ids)
    per_class = max(1, len(class_ids) // len(present))
    dealt = [_deal(np.flatnonzero(class_ids == number), per_class, [seed, int(number)], epoch) for number in present]
    chosen = np.concatenate(dealt)
    return chosen[natural_order(len(chosen), seed, epoch)]


def turns(order: Positions) -> npt.NDArray[np.int64]:
    """Return how often each position of ``order`` stood in it before, (len(order),): 0 for the first time."""
    arranged = np.argsort(order, kind="stable")
    found = order[arranged]
    is_first = np.ones(len(order), bool)
    is_first[1:] = found[1:] != found[:-1]
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    counted = np.empty(len(order), np.int64)
    counted[arranged] = np.arange(len(order)) - starts
    return counted


def pick(
    views: Sequence[npt.NDArray[np.float16]], numbers: npt.NDArray[np.int64], positions: Positions
) -> npt.NDArray[np.float32]:
    """Return row ``positions[i]`` of view ``numbers[i]`` for each i, (len(positions), ...) float32."""
    if (numbers == numbers[0]).all():
        return np.asarray(views[numbers[0]][positions], np.float32)
    return np.stack([views[v][p] for v, p in zip(numbers, positions, strict=True)]).astype(np.float32)


def _deal(members: Positions, count: int, seed: list[int], epoch: int) -> Positions:
    """Return the ``count`` members whose turn it is in an epoch."""
    first, last = epoch * count, (epoch + 1) * count
    rounds = range(first // len(members), -(-last // len(members)))
    shuffled = [np.random.default_rng([_ROUND, *seed, number]).permutation(members) for number in rounds]
    start = first - rounds[0] * len(members)
    return np.concatenate(shuffled)[start : start + count]
