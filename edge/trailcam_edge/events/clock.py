"""Time on a machine that may not know the date.

A Raspberry Pi without network starts with the date of its last shutdown. Events are therefore dated by the monotonic
clock and an identifier of this boot; the date is added where it can be trusted.
"""

import ctypes
import re
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from trailcam_edge.events import DATED_BOOT, RECORDING_BOOT, Moment

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOARD = Path("/proc/device-tree/model")  # small boards have it, PCs and virtual machines do not
_HARDWARE_CLOCK = Path("/sys/class/rtc/rtc0")
_IDENTIFIER = re.compile(r"[\w-]{1,64}", re.ASCII)
_TIMEX_BYTES = 512  # struct timex has 208 on 64-bit Linux
_TIME_ERROR = 5  # clock not synchronised, adjtimex(2)


class Clock(Protocol):
    """The time source of the live loop."""

    def monotonic_s(self) -> float:
        """Return monotonic seconds, as in a frame's timestamp."""

    def moment(self, monotonic_s: float) -> Moment:
        """Return the moment of a reading of the monotonic clock."""


class SystemClock:
    """This machine's clocks."""

    def __init__(self, known: Callable[[], bool] | None = None) -> None:
        self._known = known or date_is_known
        self._boot_id = read_boot_id()

    def monotonic_s(self) -> float:
        """Return seconds since the machine was started."""
        return time.monotonic()

    def moment(self, monotonic_s: float) -> Moment:
        """Return a moment of this boot, dated if the date is known now."""
        wall = None
        if self._known():
            wall = datetime.now().astimezone() + timedelta(seconds=monotonic_s - time.monotonic())
        return Moment(monotonic_s, wall, self._boot_id)


class RecordingClock:
    """The clock of a recording, which began at the time that its file states, or at an unknown time.

    Args:
        began: time of its first frame, with a zone; None if it is unknown.
    """

    def __init__(self, began: datetime | None = None) -> None:
        self._began = began
        self._boot_id = (RECORDING_BOOT if began is None else DATED_BOOT) + uuid.uuid4().hex
        self._first_s: float | None = None

    def monotonic_s(self) -> float:
        """Return seconds since the machine was started."""
        return time.monotonic()

    def moment(self, monotonic_s: float) -> Moment:
        """Return a moment of the recording; the first call defines its start."""
        first_s = self._first_s = monotonic_s if self._first_s is None else self._first_s
        elapsed_s = monotonic_s - first_s
        wall = None if self._began is None else self._began + timedelta(seconds=elapsed_s)
        return Moment(elapsed_s, wall, self._boot_id)


def read_boot_id(path: Path = _BOOT_ID) -> str:
    """Return the kernel's identifier of this boot, or one made of its time if the kernel has none."""
    try:
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    return found if _IDENTIFIER.fullmatch(found) else f"started-{round(time.time() - time.monotonic())}"


def date_is_known(board: Path = _BOARD, hardware_clock: Path = _HARDWARE_CLOCK) -> bool:
    """Return True if the date can be trusted: not a small board, or one with a hardware clock or network time."""
    if not board.exists() or hardware_clock.exists():
        return True
    libc = ctypes.CDLL(None)
    state = int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return 0 <= state < _TIME_ERROR  # -1: the call was not allowed, so the state is unknown
