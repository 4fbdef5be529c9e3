"""The capture thread: take every frame of a live source, keep the newest, reopen the source when it is lost.

It records every blind time. It never gives up: the live loop decides how long a silence may last, because a driver that
hangs would hang this thread as well.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from trailcam_core.errors import SourceError
from trailcam_core.network.secrets import mask_text
from trailcam_edge.camera.latest_frame import LatestFrame
from trailcam_edge.camera.settings import RecoverySettings
from trailcam_edge.events import BlindTime
from trailcam_edge.events.clock import Clock
from trailcam_edge.sources import Frame, Source

LOST = "source lost"
STALLED = "source stalled"
_log = logging.getLogger(__name__)
_JOIN_S = 2.0  # a driver may hang; the process ends all the same


class CaptureThread:
    """Hand on the frames of a source until it ends or ``stop`` is called.

    Args:
        first: the source, open; it is closed here.
        reopen: opens it again.
        latest: receives every frame, and the end.
        settings: back-off, and the duration from which a silence counts as blind.
        clock: dates blind times.
    """

    def __init__(
        self,
        first: Source,
        reopen: Callable[[], Source],
        latest: LatestFrame,
        settings: RecoverySettings,
        clock: Clock,
    ) -> None:
        self._first: Source | None = first
        self._reopen = reopen
        self._latest = latest
        self._settings = settings
        self._clock = clock
        self._stopping = threading.Event()
        self._blind: deque[BlindTime] = deque()
        self._lost = False
        self._problem = ""
        self._delivered = 0
        self._last_frame_s = time.monotonic()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current frame; a source that hangs is abandoned."""
        self._stopping.set()
        self._thread.join(_JOIN_S)

    @property
    def error(self) -> Exception | None:
        """The error that ended the thread, None if the source ended or ``stop`` was called."""
        return self._error

    @property
    def problem(self) -> str:
        """The message of the last error of the source; empty if it was never lost."""
        return self._problem

    @property
    def silent_s(self) -> float:
        """Seconds since the last frame, or since the start."""
        return time.monotonic() - self._last_frame_s

    def take_blind_times(self) -> tuple[BlindTime, ...]:
        """Return the blind times that ended since the last call."""
        return tuple(self._blind.popleft() for _ in range(len(self._blind)))

    def blind_now(self) -> BlindTime | None:
        """Return the current blind time as if it ended now; None while the source delivers."""
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
                except Exception as error:  # the supervisor: after any error of a driver the camera is reopened
                    if not self._delivered:
                        self._error = error
                        return
                    self._problem = (
                        str(error) if isinstance(error, SourceError) else mask_text(f"unexpected {error!r}.")
                    )
                if self._delivered > delivered:
                    wait_s = self._settings.first_wait_s
                self._lost = True
                _log.warning("%s Opening it again in %g s.", self._problem, wait_s)
                self._stopping.wait(wait_s)
                wait_s = min(2 * wait_s, self._settings.longest_wait_s)
        finally:
            self._latest.end()

    def _drain(self) -> None:
        """Hand on the frames of the source until its end, or until ``stop`` is called."""
        source, self._first = self._first or self._reopen(), None
        with source:
            offset = self._delivered
            try:
                for frame in source.frames():
                    self._note_arrival(frame)
                    self._latest.put(replace(frame, sequence=offset + frame.sequence) if offset else frame)
                    self._delivered = offset + frame.sequence + 1
                    if self._stopping.is_set():
                        self._latest.discard()
                        return
            except BaseException:
                self._latest.discard()  # before the camera closes, and because it would be old by the next time
                raise

    def _note_arrival(self, frame: Frame) -> None:
        if self._delivered and (self._lost or self.silent_s > self._settings.stall_s):
            # A camera that hung may deliver an image from before that: a silence ends when something arrives.
            self._blind.append(self._blind_until(frame.timestamp_s if self._lost else time.monotonic()))
            _log.info("the source is back.")
        self._lost = False
        self._last_frame_s = time.monotonic()

    def _blind_until(self, ended_s: float) -> BlindTime:
        started_s = min(self._last_frame_s, ended_s)
        reason = LOST if self._lost else STALLED
        return BlindTime(reason, self._clock.moment(started_s), self._clock.moment(ended_s))
