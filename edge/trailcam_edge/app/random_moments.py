"""Random moments, one in each of equal slots of time. Pure functions of a seed.

Within its slot every moment is equally likely, so with ``per_day`` slots a day each second is drawn with the
probability ``per_day`` / 86,400, by day and by night alike. A moment that a restart or a blind time has missed is not
drawn again: the moments that are left are as random as before.
"""

import hashlib
from dataclasses import dataclass

DAY_S = 86_400.0
_LATE_S = 5.0  # a moment that passed longer ago was not seen


@dataclass(frozen=True)
class MomentDraw:
    """The moments of one seed: ``per_day`` of them, 0 for none."""

    per_day: int
    seed: str

    def moment_s(self, slot: int) -> float:
        """Return the moment of a slot, in the seconds in which slots are counted."""
        digest = hashlib.blake2b(f"{self.seed} {slot}".encode(), digest_size=8).digest()
        return (slot + int.from_bytes(digest, "big") / 2**64) * DAY_S / self.per_day

    def has_passed(self, before_s: float, now_s: float) -> bool:
        """Return whether a moment lies after ``before_s``, and not after ``now_s``."""
        if not self.per_day or now_s <= before_s:
            return False
        slot_s = DAY_S / self.per_day
        start_s = max(before_s, now_s - _LATE_S)
        slots = range(int(start_s // slot_s), int(now_s // slot_s) + 1)
        return any(start_s < self.moment_s(slot) <= now_s for slot in slots)
