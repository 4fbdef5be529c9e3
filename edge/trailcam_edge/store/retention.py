"""What to delete when room is needed: the commonest first, the rarest last. Pure functions."""

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Kept", "choose_deletions", "share_out"]


@dataclass(frozen=True)
class Kept:
    """Something that takes room: a picture or a row. ``order`` grows with time, ``size_bytes`` is its room on disk."""

    key: int
    label: str
    order: int
    size_bytes: int


def choose_deletions(kept: Iterable[Kept], needed_bytes: int, spare_per_label: int = 0) -> tuple[int, ...]:
    """Return the keys to delete, in the order of deletion, so that at least ``needed_bytes`` become free.

    Again and again the label with the most things left loses its oldest one, until there is room. So no label loses
    anything while another has more left: a species that was seen twelve times keeps all twelve for as long as some
    other has thirteen. Equal numbers are decided by the room taken, then by the name.

    Args:
        kept: everything there is; no key twice.
        needed_bytes: 0 or less chooses nothing.
        spare_per_label: that many of every label are never chosen, even if the room then does not suffice.
    """
    groups: dict[str, deque[Kept]] = defaultdict(deque)
    for thing in sorted(kept, key=lambda thing: thing.order):
        groups[thing.label].append(thing)
    room = {label: sum(thing.size_bytes for thing in group) for label, group in groups.items()}
    heap = [(-len(group), -room[label], label) for label, group in groups.items()]
    heapq.heapify(heap)
    chosen: list[int] = []
    freed_bytes = 0
    while freed_bytes < needed_bytes and heap:
        label = heapq.heappop(heap)[2]
        group = groups[label]
        if len(group) <= spare_per_label:
            break  # the label with the most left has no more to give, so none has
        oldest = group.popleft()
        chosen.append(oldest.key)
        freed_bytes += oldest.size_bytes
        room[label] -= oldest.size_bytes
        if group:
            heapq.heappush(heap, (-len(group), -room[label], label))
    return tuple(chosen)


def share_out(counts: Mapping[str, int], number: int) -> dict[str, int]:
    """Return how many of the oldest of each label to delete, so that ``number`` go: the same rule, for equal sizes.

    Args:
        counts: how many there are of each label.
        number: how many to delete; at most all of them are.
    """
    heap = [(-count, label) for label, count in counts.items() if count > 0]
    heapq.heapify(heap)
    shares: dict[str, int] = defaultdict(int)
    for _ in range(min(number, sum(-count for count, _ in heap))):
        count, label = heapq.heappop(heap)
        shares[label] += 1
        if count + 1 < 0:
            heapq.heappush(heap, (count + 1, label))
    return dict(shares)
