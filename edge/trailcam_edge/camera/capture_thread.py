"""The capture thread: take every frame of a live source, keep the newest, open the source again when it is lost.

It notes every time in which the camera was blind. It never gives up by itself: how long a silence may last is judged
by whoever waits for frames, because a driver that hangs would hang this thread as well.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from trailcam_core.errors import SourceError
from trailcam_edge.camera.latest_frame import NewestFrameSlot
from trailcam_edge.camera.settings import RecoverySettings
from trailcam_edge.clock import Clock
from trailcam_edge.events import BlindTime
from trailcam_edge.sources import Frame, Source

__all__ = ["LOST", "STALLED", "CaptureThread"]

LOST = "source lost"
STALLED = "source stalled"
_JOIN_S = 2.0  # a driver may hang; the process ends all the same


class CaptureThread:
    """Fills a slot from a source until it ends or ``stop`` is called.

    Args:
        first: the source, open; it is closed here.
        reopen: opens it again.
        slot: gets every frame, and is told the end.
        settings: back-off, and from when a silence counts as blind.
        clock: dates blind times.
        report: told in words when the source is lost and when it is back.
    """

    def __init__(
        self,
        first: Source,
        reopen: Callable[[], Source],
        slot: NewestFrameSlot,
        settings: RecoverySettings,
        clock: Clock,
        report: Callable[[str], None],
    ) -> None:
        self._first: Source | None = first
        self._reopen = reopen
        self._slot = slot
        self._settings = settings
        self._clock = clock
        self._report = report
        self._stopping = threading.Event()
        self._blind: deque[BlindTime] = deque()
        self._lost = False
        self._problem = ""
        self._delivered = 0
        self._last_frame_s = time.monotonic()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the frame under way; a source that hangs is left behind."""
        self._stopping.set()
        self._thread.join(_JOIN_S)

    @property
    def error(self) -> Exception | None:
        """Why it ended, if not because the source did or it was told to."""
        return self._error

    @property
    def problem(self) -> str:
        """What was wrong when the source was lost last, in words; empty if it never was."""
        return self._problem

    @property
    def silent_s(self) -> float:
        """Seconds since the last frame, or since the beginning."""
        return time.monotonic() - self._last_frame_s

    def take_blind_times(self) -> tuple[BlindTime, ...]:
        """Return the blind times that ended since this was asked last."""
        return tuple(self._blind.popleft() for _ in range(len(self._blind)))

    def blind_now(self) -> BlindTime | None:
        """Return the blind time that lasts, as if it ended now; None where the source delivers."""
        if not self._lost and self.silent_s <= self._settings.stall_s:
            return None
        return self._blind_until(time.monotonic())

    def _run(self) -> None:
        wait_s = self._settings.first_wait_s
        try:
            while not self._stopping.is_set():
                delivered = self._delivered
                try:
                    self._drain()
                    return
                except Exception as error:  # the supervisor: whatever a driver throws, the camera is opened again
                    if not self._delivered:
                        self._error = error
                        return
                    self._problem = str(error) if isinstance(error, SourceError) else f"unexpected {error!r}."
                if self._delivered > delivered:
                    wait_s = self._settings.first_wait_s
                self._lost = True
                self._report(f"{self._problem} Opening it again in {wait_s:g} s.")
                self._stopping.wait(wait_s)
                wait_s = min(2 * wait_s, self._settings.longest_wait_s)
        finally:
            self._slot.end()

    def _drain(self) -> None:
        """Hand on the frames of the source until its end, or until told to stop."""
        source, self._first = self._first or self._reopen(), None
        with source:
            offset = self._delivered
            try:
                for frame in source.frames():
                    self._note_arrival(frame)
                    self._slot.put(replace(frame, sequence=offset + frame.sequence) if offset else frame)
                    self._delivered = offset + frame.sequence + 1
                    if self._stopping.is_set():
                        self._slot.discard()
                        return
            except BaseException:
                self._slot.discard()  # before the camera closes, and because it would be old by the next time
                raise

    def _note_arrival(self, frame: Frame) -> None:
        if self._delivered and (self._lost or self.silent_s > self._settings.stall_s):
            # A camera that hung may hand on a picture from before that: a silence ends when something arrives.
            self._blind.append(self._blind_until(frame.timestamp_s if self._lost else time.monotonic()))
            self._report("the source is back.")
        self._lost = False
        self._last_frame_s = time.monotonic()

    def _blind_until(self, ended_s: float) -> BlindTime:
        started_s = min(self._last_frame_s, ended_s)
        reason = LOST if self._lost else STALLED
        return BlindTime(reason, self._clock.moment(started_s), self._clock.moment(ended_s))
