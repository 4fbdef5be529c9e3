"""The number of usable processor cores."""

import os


def usable_cores() -> int:
    """Return the number of cores this process may use; a container or ``taskset`` can restrict it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
