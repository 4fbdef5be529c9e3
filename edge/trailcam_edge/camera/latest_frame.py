"""Where the camera leaves its newest frame: one place, no queue.

The camera never waits and whoever looks never gets an old frame. A frame that is replaced before anybody took it is
given back to its camera and counted as dropped.
"""

import threading

from trailcam_edge.sources import Frame

__all__ = ["NewestFrameSlot"]


class NewestFrameSlot:
    """One frame between a capture thread and the thread that looks at frames."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._ended = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Frames that were replaced before anybody took them."""
        return self._dropped

    @property
    def ended(self) -> bool:
        """True when no frame waits and none will come."""
        with self._changed:
            return self._ended and self._frame is None

    def put(self, frame: Frame) -> None:
        """Leave a frame in place of the one that may be there; never waits."""
        with self._changed:
            replaced, self._frame = self._frame, frame
            self._dropped += replaced is not None
            self._changed.notify()
        if replaced is not None:
            replaced.give_back()

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame that was not taken yet, or None if none comes in time or at all."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, timeout_s)
            taken, self._frame = self._frame, None
            return taken

    def discard(self) -> None:
        """Give the waiting frame back: its camera is about to be closed."""
        with self._changed:
            waiting, self._frame = self._frame, None
        if waiting is not None:
            waiting.give_back()

    def end(self) -> None:
        """Say that no frame will come any more; the last one may still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify()
