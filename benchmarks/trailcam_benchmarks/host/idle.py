"""Wait until a machine has nothing else to do."""

import math
import time
from collections.abc import Callable

from trailcam_benchmarks.host.machine import Condition, read_condition

__all__ = ["BUSY_SHARE", "is_busy", "wait_until_calm"]

BUSY_SHARE = 0.3  # of the cores: a load that leaves no core to itself on two, where a runnable process adds 1
_LOOK_EVERY_S = 5.0


def is_busy(condition: Condition, cores: int) -> bool:
    """Say whether the load is so high that others may have been measured as well; False where it is not known."""
    return condition.load is not None and condition.load > BUSY_SHARE * cores


def wait_until_calm(
    cores: int,
    limit_s: float,
    look: Callable[[], Condition] = read_condition,
    rest: Callable[[float], None] = time.sleep,
) -> Condition:
    """Wait until the machine is not busy, at most ``limit_s``; return how it is then.

    The load is an average of the last minute, so what was measured just before is in it.
    """
    now = look()
    for _ in range(math.ceil(limit_s / _LOOK_EVERY_S)):
        if not is_busy(now, cores):
            break
        rest(_LOOK_EVERY_S)
        now = look()
    return now
