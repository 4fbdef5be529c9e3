"""Retention rule: delete pictures of the most common labels first. Pure functions."""

import heapq
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class RetentionItem:
    """A picture or a row. ``order`` grows with time, ``size_bytes`` is its space on disk."""

    key: int
    label: str
    order: int
    size_bytes: int


def choose_deletions(
    kept: Iterable[RetentionItem], needed_bytes: int, spare_per_label: int = 0, last: Collection[int] = frozenset()
) -> tuple[int, ...]:
    """Return the keys to delete, in the order of deletion, so that at least ``needed_bytes`` become free.

    The label with the most items left loses its oldest one, repeatedly, until enough is free. So no label loses an item
    while another has more left: a species that was seen twelve times keeps all twelve for as long as another has
    thirteen. Ties are broken by the space taken, then by name. Items of ``last`` follow by the same rule, when no other
    is left.

    Args:
        kept: all items, with unique keys.
        needed_bytes: 0 or less chooses noitem.
        spare_per_label: number of items of every label that are never chosen, even if too little becomes free.
        last: keys of items that are chosen after all others.
    """
    groups: dict[str, deque[RetentionItem]] = defaultdict(deque)
    for item in sorted(kept, key=lambda item: (item.key in last, item.order)):
        groups[item.label].append(item)
    space = {label: sum(item.size_bytes for item in group) for label, group in groups.items()}
    heap = [(group[0].key in last, -len(group), -space[label], label) for label, group in groups.items()]
    heapq.heapify(heap)
    chosen: list[int] = []
    freed_bytes = 0
    while freed_bytes < needed_bytes and heap:
        label = heapq.heappop(heap)[3]
        group = groups[label]
        if len(group) <= spare_per_label:
            continue  # this label has none to spare
        oldest = group.popleft()
        chosen.append(oldest.key)
        freed_bytes += oldest.size_bytes
        space[label] -= oldest.size_bytes
        if group:
            heapq.heappush(heap, (group[0].key in last, -len(group), -space[label], label))
    return tuple(chosen)


def allocate_deletions(counts: Mapping[str, int], number: int) -> dict[str, int]:
    """Return how many of the oldest items of each label to delete, ``number`` in total: the same rule for equal sizes.

    Args:
        counts: number of items of each label.
        number: of items to delete; at most all of them are.
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
