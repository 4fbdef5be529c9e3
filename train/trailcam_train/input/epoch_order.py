"""The order of the pictures in an epoch: a function of seed and epoch alone, so an epoch can be resumed anywhere.

``natural`` shows every picture once. ``balanced`` shows every class equally often: N // K pictures of each, with N
pictures and K classes. The pictures of a class are dealt in shuffled rounds that continue from epoch to epoch: none is
shown again before all of its class were, so a small class repeats and a large one loses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLINGS = ("natural", "balanced")

Positions = npt.NDArray[np.intp]

_ORDER, _ROUND = 0, 2  # first word of each seed, so that these draws are independent of those of the pipeline (1)


@dataclass(frozen=True)
class EpochOrder:
    """The order of a stream and the augmented views that it shows.

    Without ``shuffle`` the order is that of the rows. ``sampling`` is ``natural`` or ``balanced``; the latter needs
    ``shuffle``. With ``views`` above 0 that many views of each picture alternate, in every second round
    mirrored if the augmentation mirrors at all; 0 draws a new view in every epoch.
    """

    seed: int = 0
    shuffle: bool = False
    sampling: str = "natural"
    views: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"expected a seed of 0 or more, got {self.seed}")
        if self.sampling not in SAMPLINGS or (self.sampling == "balanced" and not self.shuffle):
            raise ValueError(
                f"expected sampling of {SAMPLINGS}, balanced with shuffle, got {self.sampling!r}, {self.shuffle}"
            )

    def positions(self, class_ids: npt.NDArray[np.int32], epoch: int) -> Positions:
        """Return positions in ``class_ids`` (N,) in the order of an epoch."""
        if not self.shuffle:
            return np.arange(len(class_ids))
        if self.sampling == "balanced":
            return balanced_order(class_ids, self.seed, epoch)
        return natural_order(len(class_ids), self.seed, epoch)


IN_ORDER = EpochOrder()


def natural_order(count: int, seed: int, epoch: int) -> Positions:
    """Return the positions 0 to count - 1, (count,), in the order of an epoch."""
    return np.random.default_rng([_ORDER, seed, epoch]).permutation(count)


def balanced_order(class_ids: npt.NDArray[np.int32], seed: int, epoch: int) -> Positions:
    """Return positions in ``class_ids``, (K * (N // K),) and at least K, every class equally often, in epoch order.

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


def repeat_counts(order: Positions) -> npt.NDArray[np.int64]:
    """Return how often each position of ``order`` occurred in it before, (len(order),): 0 for the first time."""
    arranged = np.argsort(order, kind="stable")
    found = order[arranged]
    is_first = np.ones(len(order), bool)
    is_first[1:] = found[1:] != found[:-1]
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    counted = np.empty(len(order), np.int64)
    counted[arranged] = np.arange(len(order)) - starts
    return counted


def gather_views(
    views: Sequence[npt.NDArray[np.float16]], numbers: npt.NDArray[np.int64], positions: Positions
) -> npt.NDArray[np.float32]:
    """Return row ``positions[i]`` of view ``numbers[i]`` for each i, (len(positions), ...) float32."""
    if len(set(numbers.tolist())) <= 1:  # none at all where a host has no part of the last batch
        return np.asarray(views[numbers[0] if len(numbers) else 0][positions], np.float32)
    return np.stack([views[v][p] for v, p in zip(numbers, positions, strict=True)]).astype(np.float32)


def _deal(members: Positions, count: int, seed: list[int], epoch: int) -> Positions:
    """Return the ``count`` members whose turn it is in an epoch."""
    first, last = epoch * count, (epoch + 1) * count
    rounds = range(first // len(members), -(-last // len(members)))
    shuffled = [np.random.default_rng([_ROUND, *seed, number]).permutation(members) for number in rounds]
    start = first - rounds[0] * len(members)
    return np.concatenate(shuffled)[start : start + count]
