"""Wait until a machine is idle."""

import math
import time
from collections.abc import Callable

from trailcam_benchmarks.host.machine import Condition, read_condition

BUSY_FRACTION = 0.3  # of the cores: on two cores a load with one busy process for a third of the time
_POLL_S = 5.0


def is_busy(condition: Condition, cores: int) -> bool:
    """Return True if the load is high enough to disturb a measurement; False if it is unknown."""
    return condition.load is not None and condition.load > BUSY_FRACTION * cores


def wait_until_idle(
    cores: int,
    limit_s: float,
    probe: Callable[[], Condition] = read_condition,
    sleep: Callable[[float], None] = time.sleep,
) -> Condition:
    """Wait until the machine is not busy, at most ``limit_s``; return its condition then.

    The load is an average of the last minute, so it includes a measurement just before.
    """
    now = probe()
    for _ in range(math.ceil(limit_s / _POLL_S)):
        if not is_busy(now, cores):
            break
        sleep(_POLL_S)
        now = probe()
    return now
