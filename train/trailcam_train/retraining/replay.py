"""Choose which pictures of an earlier run are used again: pure functions of its split.

All test pictures stay test pictures. Of the training pictures an equal number of each label is shown again, and as many
validation pictures of each label help to choose the best epoch.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from trailcam_core.datasets.run_directory import SplitRow

_FEWEST_VALIDATED = 50  # of each label, also if nothing is shown again: they choose temperature and threshold


def choose_replay(rows: Sequence[SplitRow], replay: int, seed: int) -> tuple[SplitRow, ...]:
    """Return the rows to use again, in the order of ``rows``.

    Args:
        rows: the split of the earlier run.
        replay: training pictures of each label that are shown again.
        seed: another seed gives other pictures.
    """
    most = {"train": replay, "validation": max(replay, _FEWEST_VALIDATED)}
    piles: dict[tuple[str, str], list[SplitRow]] = defaultdict(list)
    for row in rows:
        piles[row.split, row.label].append(row)
    chosen = {
        row.file
        for (split, _), pile in piles.items()
        for row in sorted(pile, key=lambda row: _order(row, seed))[: most.get(split, len(pile))]
    }
    return tuple(row for row in rows if row.file in chosen)


def _order(row: SplitRow, seed: int) -> str:
    return hashlib.sha256(f"{seed} {row.sha256} {row.file}".encode()).hexdigest()
