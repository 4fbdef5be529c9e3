"""The share of every batch that one of several hosts reads."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Host ``index`` of ``count``: it reads one run of consecutive pictures of every batch."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"expected an index of 0 to count - 1, got {self.index} of {self.count}")

    def size(self, batch: int) -> int:
        """Return the most pictures of a batch that one host reads."""
        return -(-batch // self.count)

    def within(self, start: int, stop: int) -> slice:
        """Return the positions of this host's part of the batch ``start`` to ``stop``; the last part may be smaller."""
        size = self.size(stop - start)
        first = min(stop, start + self.index * size)
        return slice(first, min(stop, first + size))


WHOLE = Share()
