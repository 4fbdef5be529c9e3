"""The newest frame of a live camera: a buffer of one frame instead of a queue.

The camera never waits, and the reader never receives an old frame. A frame that is replaced before it was taken is
returned to its camera and counted as dropped.
"""

import threading

from trailcam_edge.sources import Frame


class LatestFrame:
    """One frame between the capture thread and the live loop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._ended = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Number of frames that were replaced before they were taken."""
        return self._dropped

    @property
    def ended(self) -> bool:
        """True when no frame waits and no more will arrive."""
        with self._changed:
            return self._ended and self._frame is None

    def put(self, frame: Frame) -> None:
        """Store a frame in place of the waiting one; never blocks."""
        with self._changed:
            replaced, self._frame = self._frame, frame
            self._dropped += replaced is not None
            self._changed.notify()
        if replaced is not None:
            replaced.give_back()

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame that was not taken yet, or None if none arrives in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, timeout_s)
            taken, self._frame = self._frame, None
            return taken

    def discard(self) -> None:
        """Return the waiting frame to its camera, which is about to be closed."""
        with self._changed:
            waiting, self._frame = self._frame, None
        if waiting is not None:
            waiting.give_back()

    def end(self) -> None:
        """Mark that no more frames will arrive; the last one may still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify()
