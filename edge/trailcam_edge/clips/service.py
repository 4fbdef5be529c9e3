"""Clips of one camera: the tap on its source, the collector, and the thread that has clips written."""

import importlib.util
import logging
import queue
import threading
import time
from collections.abc import Callable

from trailcam_core.errors import ConfigError, DeviceError
from trailcam_core.errors.install_command import install_command
from trailcam_edge.clips.collector import Collector, Cut
from trailcam_edge.clips.encoder import Encoder
from trailcam_edge.clips.picamera import record_from
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.clips.tap import LATE_FRAMES, FrameTap, TappedSource
from trailcam_edge.events import OPENED, Clip, VisitChange
from trailcam_edge.events.clock import Clock
from trailcam_edge.sources import Source

_log = logging.getLogger(__name__)
_END_S = 6.0  # for the clips that are being collected or written when the camera stops


class Clips:
    """Clips of visits. ``frame`` and ``change`` return at once.

    Args:
        settings: of clips.
        clock: of the visits.
        vote_age_s: see ``Collector``.
        keep_persons: see ``Collector``.

    Raises:
        ConfigError: PyAV is not installed.
    """

    def __init__(self, settings: ClipSettings, clock: Clock, vote_age_s: float, keep_persons: bool) -> None:
        if importlib.util.find_spec("av") is None:
            raise ConfigError(f"[clips] needs PyAV, which is not installed: {install_command('clips')}")
        self._settings = settings
        self._clock = clock
        self._collector = Collector(settings, vote_age_s, keep_persons)
        self._tap: FrameTap | None = None
        self._encoder = Encoder(settings)
        self._store: Callable[[Clip], bool] | None = None
        self._cuts: queue.SimpleQueue[Cut | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
        self._thread.start()

    def tapped(self, reopen: Callable[[], Source]) -> Callable[[], Source]:
        """Return an opener whose source gives its frames to the clips as well."""
        return lambda: self._connect(reopen())

    def connect(self, store: Callable[[Clip], bool]) -> None:
        """Hand every clip to ``store``, which returns False if it does not take it."""
        self._store = store

    def change(self, change: VisitChange) -> None:
        """Begin the clip of a visit that has opened."""
        visit = change.visit
        if change.kind == OPENED:
            self._collector.begin(visit.visit_id, visit.label, visit.started.monotonic_s)

    def frame(self, outcome: str | None, timestamp_s: float) -> None:
        """Take notice of what a frame was recognised as, and have clips written whose last frame has passed."""
        at_s = self._clock.moment(timestamp_s).monotonic_s
        self._collector.note(outcome, at_s)
        self._write(self._collector.due(at_s - LATE_FRAMES / self._settings.rate_hz))

    def close(self, timeout_s: float = _END_S) -> None:
        """Write what was collected, as far as the time allows; a clip that is not finished leaves nothing."""
        until_s = time.monotonic() + timeout_s
        if self._tap is not None:
            self._tap.close()
        self._write(self._collector.due(float("inf")))
        self._cuts.put(None)
        self._thread.join(max(0.0, until_s - time.monotonic()))
        self._encoder.stop()
        self._thread.join()

    def _connect(self, source: Source) -> Source:
        recorded = record_from(source, self._settings, self._collector.add)
        if recorded is not None:
            return recorded
        if self._tap is None:
            self._tap = FrameTap(self._settings, self._clock, self._collector.add)
        return TappedSource(source, self._tap.offer)

    def _write(self, cuts: list[Cut]) -> None:
        """Queue clips; frames that wait there may take as much memory as those in the ring."""
        for cut in cuts:
            size_bytes = _size_bytes(cut)
            with self._guard:
                is_too_much = self._waiting_bytes and (
                    self._waiting_bytes + size_bytes > self._settings.max_memory_mb * 1e6
                )
                self._waiting_bytes += 0 if is_too_much else size_bytes
            if is_too_much:
                _log.warning("visit %s gets no clip: too many others wait to be written.", cut.visit_id)
            else:
                self._cuts.put(cut)

    def _run(self) -> None:
        while (cut := self._cuts.get()) is not None:
            try:
                self._make(cut)
            except DeviceError as error:
                _log.error("visit %s gets no clip: %s.", cut.visit_id, error)
            except Exception as error:  # the supervisor of clips: the camera goes on after every error
                _log.error("visit %s gets no clip (%s: %s).", cut.visit_id, type(error).__name__, error)
            with self._guard:
                self._waiting_bytes -= _size_bytes(cut)

    def _make(self, cut: Cut) -> None:
        """Have a clip written and stored.

        Raises:
            DeviceError: it cannot be.
        """
        content = self._encoder.encode(cut.frames)
        clip = Clip(cut.visit_id, content, cut.offset_s, cut.frames[-1].at_s - cut.frames[0].at_s)
        if self._store is None or not self._store(clip):
            raise DeviceError("the store does not take it at present")


def _size_bytes(cut: Cut) -> int:
    return sum(len(frame.content) for frame in cut.frames)
