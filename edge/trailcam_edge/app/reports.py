"""Status and metrics of a running camera, for the live page: read by many threads."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from trailcam_core.errors import DeviceError
from trailcam_core.network.secrets import mask_address
from trailcam_edge.app.summary import LastFrame, camera_summary
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.events import BlindTime, Moment, SuppressedVisit, is_recording
from trailcam_edge.events.clock import Clock
from trailcam_edge.live.latest_picture import LiveView
from trailcam_edge.live.pages.desk import Writer
from trailcam_edge.live.pages.library import Library
from trailcam_edge.live.state import Phase, ProgramState, program_state
from trailcam_edge.live.status import CameraState, status_record
from trailcam_edge.live.visit_counts import VisitCounts
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sinks.worker import SinkWorker
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.open_database import CLIPS_FOLDER, PICTURES_FOLDER
from trailcam_edge.store.quota import StoreUsage
from trailcam_edge.store.recorder import Recorder
from trailcam_edge.store.reviews.records import NewReview
from trailcam_edge.store.reviews.tables import Saved
from trailcam_edge.store.wall_time import is_plausible
from trailcam_edge.telemetry.health import HealthSnapshot, read_health
from trailcam_edge.telemetry.prometheus import MetricsSnapshot, render_metrics
from trailcam_edge.update.install.journal import Journal

_HEALTH_S = 5.0
_BOARD = Path("/proc/device-tree/model")


class DeviceReports:
    """Counters, latest picture and visit counts of the camera, and the reports made of them.

    Args:
        config: of the camera.
        version: of Trailcam.
        clock: dates visits.
        update: returns the update journal, or None if updates are not configured.
    """

    def __init__(self, config: Config, version: str, clock: Clock, update: Callable[[], Journal | None]) -> None:
        self._config = config
        self._version = version
        self._clock = clock
        self._update = update
        self._started_s = time.monotonic()
        self._bundle = ""
        self._frames = 0
        self._paused = False
        self._last_frame: LastFrame | None = None
        self._blind_s: dict[str, float] = {}
        self._suppressed: dict[tuple[str, str], int] = {}
        self._recorder: Recorder | None = None
        self._workers: Sequence[SinkWorker] = ()
        self._health: tuple[float, HealthSnapshot] = (float("-inf"), HealthSnapshot())
        self._guard = threading.Lock()
        self.phase: Phase = "watching"
        self.library = None if config.store is None else Library(config.store.folder)
        self.name = (None if config.live is None else config.live.name) or socket.gethostname()
        self.has_camera = True
        self.reviewer = "reviewer"
        self.known_labels: tuple[str, ...] = ()
        self.view = LiveView()
        self.counts = VisitCounts(self._date_of)

    def connect(self, recorder: Recorder, workers: Sequence[SinkWorker]) -> None:
        """Report on the store and the sinks as well."""
        self._recorder, self._workers = recorder, workers

    def add_frame(self, result: FrameResult, bundle: str) -> None:
        """Count a frame; ``bundle`` is the name of the model that classifies it, unless the schedule pauses that."""
        self._bundle = bundle
        self._paused = result.paused
        self._frames += not result.paused
        self._last_frame = LastFrame(time.monotonic(), result.outcome, result.rate_hz, result.dropped)

    def add_suppressed(self, suppressed: SuppressedVisit) -> None:
        """Count a visit that the settings suppress."""
        key = (suppressed.label, suppressed.reason)
        self._suppressed[key] = self._suppressed.get(key, 0) + 1

    def add_blind_time(self, blind: BlindTime) -> None:
        """Add a blind time to the total of its reason."""
        seconds = blind.ended.monotonic_s - blind.started.monotonic_s
        self._blind_s[blind.reason] = self._blind_s.get(blind.reason, 0.0) + seconds

    def alive(self) -> bool:
        """Return True while frames arrive."""
        last = self._last_frame
        return last is not None and time.monotonic() < last.at_s + self._config.recovery.stall_s

    def state(self) -> ProgramState:
        """Return what the program does at present."""
        now_s, frame = time.monotonic(), self.view.summary()
        age_s = None if frame.sequence < 0 else now_s - frame.at_s
        return program_state(self.phase, age_s, now_s - self._started_s, self._config.recovery.stall_s)

    def facts(self) -> list[tuple[str, str]]:
        """Return what camera this is: names and values."""
        camera = self._config.camera
        rows = [
            ("Name", self.name),
            ("Source", "in a file" if camera.source_file is not None else mask_address(camera.source)),
            ("Bundle", self._bundle or "none yet"),
            ("Trailcam", self._version),
            ("Host", socket.gethostname()),
            ("Board", _read_board()),
            ("Store", "none" if self._config.store is None else str(self._config.store.folder)),
            ("Local time", f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"),
        ]
        return [(name, text) for name, text in rows if text]

    @property
    def writer(self) -> Writer | None:
        """Where answers of people are stored; None while the disk is unavailable."""
        return None if self._recorder is None or self._recorder.store is None else self

    def labels(self) -> tuple[str, ...]:
        """Return the labels that the model knows."""
        return self.known_labels

    def save(self, reviews: Sequence[NewReview]) -> Saved:
        """Store answers of people.

        Raises:
            DeviceError: the disk does not take them.
        """
        return self._store().add_reviews(reviews, self._unix_s())

    def undo(self, review_ids: Sequence[int], reviewer: str, place: str) -> int:
        """Take answers back; return how many."""
        return self._store().undo_reviews(review_ids, reviewer, place, self._unix_s())

    def visit_picture(self, visit_id: str) -> Path | None:
        """Return the path of a picture below the store; it may be deleted before it is read."""
        if self._config.store is None:
            return None
        return self._config.store.folder / PICTURES_FOLDER / f"{visit_id}.jpg"

    def visit_clip(self, visit_id: str) -> Path | None:
        """Return the path of a clip below the store; as for ``visit_picture``."""
        return None if self._config.store is None else self._config.store.folder / CLIPS_FOLDER / f"{visit_id}.mp4"

    def status(self) -> dict[str, Any]:
        """Return the JSON object of the live page."""
        now = datetime.now().astimezone()
        state = CameraState(
            snapshot=self._snapshot(),
            frame=self.view.summary(),
            health=self._read_health(),
            alive=self.alive(),
            state=self.state(),
            date_known=self._clock.moment(self._clock.monotonic_s()).wall is not None,
            store_problem=None if self._recorder is None else self._recorder.health().problem,
            update=self._update(),
            last_frame_unix_s=None if self._last_frame is None else self._last_frame.unix_s(now.timestamp()),
        )
        return status_record(state, self.counts, now)

    def summary(self) -> dict[str, Any]:
        """Return the state of the camera for a fleet, as MQTT has it: see ``camera_summary``."""
        queue = None if self._recorder is None or self._recorder.store is None else self._recorder.store.queue
        try:
            last_visit = None if queue is None else queue.last_event()
        except DeviceError:
            last_visit = None
        return camera_summary(
            self._snapshot(), self._last_frame, self._read_health(), self._update(), last_visit, self.alive()
        )

    def metrics(self) -> str:
        """Return the metrics in Prometheus' text format."""
        return render_metrics(self._snapshot())

    def _store(self) -> EventStore:
        store = None if self._recorder is None else self._recorder.store
        if store is None:
            raise DeviceError("The store cannot be written at present; try again in a moment.")
        return store

    def _unix_s(self) -> float | None:
        wall = self._clock.moment(self._clock.monotonic_s()).wall
        return wall.timestamp() if wall is not None and is_plausible(wall.timestamp()) else None

    def _snapshot(self) -> MetricsSnapshot:
        frame = self.view.summary()
        health = self._read_health()
        journal = self._update()
        recorder = None if self._recorder is None else self._recorder.health()
        usage, visits = self._read_store()
        return MetricsSnapshot(
            version=self._version,
            bundle=self._bundle,
            uptime_s=time.monotonic() - self._started_s,
            frames=self._frames,
            frames_dropped=frame.dropped,
            frame_rate_hz=frame.rate_hz,
            latency_ms=frame.latency_ms,
            visits=visits,
            blind_s=dict(self._blind_s),
            suppressed=dict(self._suppressed),
            paused=self._paused,
            events_waiting=0 if recorder is None else recorder.waiting,
            events_lost=0 if recorder is None else recorder.lost,
            store_bytes=None if usage is None else usage.taken_bytes,
            store_max_bytes=None if usage is None else usage.max_bytes,
            disk_free_bytes=health.disk_free_bytes,
            memory_bytes=health.memory_bytes,
            temperature_c=health.temperature_c,
            throttled=None if health.throttling is None else bool(health.throttling.now),
            sinks=tuple(worker.status() for worker in self._workers),
            update_state=None if journal is None else journal.state,
            update_starts=None if journal is None else journal.starts,
        )

    def _read_store(self) -> tuple[StoreUsage | None, dict[str, int]]:
        """Return usage and counts of the store; nothing while the disk is unavailable."""
        store = None if self._recorder is None else self._recorder.store
        try:
            return (None, {}) if store is None else (store.usage(), store.counts())
        except DeviceError:
            return None, {}

    def _read_health(self) -> HealthSnapshot:
        """Read the health of the machine, at most every few seconds: vcgencmd is a separate process."""
        with self._guard:
            read_s, health = self._health
            if time.monotonic() >= read_s + _HEALTH_S:
                folder = Path("/") if self._config.store is None else self._config.store.folder
                health = read_health(folder)
                self._health = (time.monotonic(), health)
            return health

    def _date_of(self, moment: Moment) -> float | None:
        """Return the Unix time of a moment of this boot, known then or by now; None in a recording of unknown time."""
        if is_recording(moment.boot_id):
            return None
        wall = moment.wall or self._clock.moment(moment.monotonic_s).wall
        return wall.timestamp() if wall is not None and is_plausible(wall.timestamp(), moment.boot_id) else None


def _read_board() -> str:
    """Return the name of the board, nothing on other machines."""
    try:
        return _BOARD.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""
