"""What stands around the live loop: the store, the sinks, the live page, health, the service manager.

The loop's happenings are handed to ``take``; nothing here can slow the loop down. ``close`` ends everything in the
order that loses nothing: deliveries first, then the recorder, which stores what waits.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from trailcam_core.errors import DeviceError
from trailcam_edge.clock import Clock, SystemClock
from trailcam_edge.config.camera_toml import Config, read_secret
from trailcam_edge.events import BlindTime, Moment, Visit
from trailcam_edge.live.access import Access, new_token, parse_address
from trailcam_edge.live.latest_picture import LiveView
from trailcam_edge.live.server import LiveServer, serve_live
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.live.status import status_record
from trailcam_edge.live.visit_counts import Tally
from trailcam_edge.recognition.observation import Happening, Observation
from trailcam_edge.service.sd_notify import Notifier
from trailcam_edge.sinks.json_lines import JsonLinesSink
from trailcam_edge.sinks.settings import SinksSettings
from trailcam_edge.sinks.webhook import WebhookSink
from trailcam_edge.sinks.worker import Delivery, Sink
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.open_database import PICTURES_FOLDER
from trailcam_edge.store.quota import StoreUsage
from trailcam_edge.store.recorder import Recorder
from trailcam_edge.telemetry.health import HealthSnapshot, read_health
from trailcam_edge.telemetry.prometheus import MetricsSnapshot, render_metrics
from trailcam_edge.update.install.journal import Journal

__all__ = ["Station"]

_PULSE_S = 1.0  # how often the recorder and the service manager are told that frames come
_HEALTH_S = 5.0
_REMEMBERED = 5_000  # visits of before that the page counts


class Station:
    """Everything that the configuration asks for, open. A context manager; leave it to store what waits."""

    def __init__(
        self,
        config: Config,
        version: str,
        report: Callable[[str], None],
        notifier: Notifier | None = None,
        clock: Clock | None = None,
        update: Callable[[], Journal | None] | None = None,
    ) -> None:
        """Open the store, start the sinks, listen.

        Args:
            config: what to open.
            version: of Trailcam.
            report: told what a person should know, from several threads.
            notifier: the service manager.
            clock: dates things.
            update: gives what the update has come to, where there is one.

        Raises:
            ConfigError: an address, token or secret that cannot be used.
            DeviceError: the store cannot be used, or the port is in use.
        """
        self._config = config
        self._version = version
        self._notifier = notifier or Notifier(None)
        self._clock = clock or SystemClock()
        self._update = update or (lambda: None)
        self._started_s = time.monotonic()
        self._frames = self._frames_of_bundle = 0
        self._bundle = ""
        self._pulse_s = float("-inf")
        self._blind_s: dict[str, float] = {}
        self._health: tuple[float, HealthSnapshot] = (float("-inf"), HealthSnapshot())
        self._guard = threading.Lock()
        self._view = LiveView()
        self._tally = Tally(self._date_of)
        self._deliveries: list[Delivery] = []
        self._recorder: Recorder | None = None
        self._server: LiveServer | None = None
        with ExitStack() as undo:  # what was opened is closed again if the rest cannot be
            undo.callback(self.close)
            if config.store is not None:
                opener = partial(EventStore, config.store, report)
                self._recorder = Recorder(opener, self._now, report)
                self._remember(self._recorder.store)
                for sink in _open_sinks(config.sinks, config.store.folder, version):
                    self._deliveries.append(Delivery(sink, partial(_store_of, self._recorder), report))
                    self._recorder.subscribe(self._deliveries[-1].wake)
            if config.live is not None:
                self._server = self._serve(config.live, report)
            undo.pop_all()

    def take(self, happening: Happening, bundle: str) -> None:
        """Take what the loop yields; returns at once.

        Args:
            happening: as it comes.
            bundle: names the model that answers.
        """
        if isinstance(happening, Observation):
            self._observe(happening, bundle)
        elif isinstance(happening, BlindTime):
            seconds = happening.ended.monotonic_s - happening.started.monotonic_s
            self._blind_s[happening.reason] = self._blind_s.get(happening.reason, 0.0) + seconds
            if self._recorder is not None:
                self._recorder.blind(happening)
        else:
            self._take_visit(happening)

    def close(self) -> None:
        """End everything; returns when what waited is stored, or cannot be."""
        self._pulse()
        self._view.close()
        if self._server is not None:
            self._server.stop()
        for delivery in self._deliveries:
            delivery.close()
        if self._recorder is not None:
            self._recorder.close()

    def __enter__(self) -> "Station":
        """It is open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self.close()

    def _observe(self, observation: Observation, bundle: str) -> None:
        if bundle != self._bundle:
            self._bundle, self._frames_of_bundle, self._pulse_s = bundle, 0, float("-inf")
        self._frames += 1
        self._frames_of_bundle += 1
        if self._server is not None:
            self._view.show(observation)
        now_s = time.monotonic()
        if now_s >= self._pulse_s + _PULSE_S:
            self._pulse_s = now_s
            self._pulse()
            self._notifier.frame(f"{observation.rate_hz:.1f} frames/s, {bundle}")

    def _pulse(self) -> None:
        if self._recorder is not None and self._bundle:
            self._recorder.watching(self._now(), self._bundle, self._frames_of_bundle)

    def _take_visit(self, visit: Visit) -> None:
        if self._recorder is not None:
            self._recorder.visit(visit)
        self._tally.add(visit, has_picture=self._recorder is not None and visit.best_frame is not None)

    def _serve(self, live: LiveSettings, report: Callable[[str], None]) -> LiveServer:
        address = parse_address(live.address)
        token = _read_optional(live.token_file, "token")
        made = token is None and not address.is_loopback
        access = Access(address, new_token() if made else token, live.hosts)
        server = serve_live(address, access, live.viewers, self._view, self)
        place = f"http://{address.shown}/" if address.port else f"http://{address.host}:{server.port}/"
        if made:
            report(f"live page: {place}?token={access.token} (this token is new with every start: see token_file)")
        else:
            report(f"live page: {place}" + (" (with the token)" if access.needs_token else ""))
        return server

    def _remember(self, store: EventStore | None) -> None:
        if store is not None and self._config.live is not None:
            first = max(0, store.last_event_id() - _REMEMBERED)
            self._tally.remember(store.events_after(first, _REMEMBERED))

    def _now(self) -> Moment:
        return self._clock.moment(self._clock.monotonic_s())

    def _date_of(self, moment: Moment) -> float | None:
        """Return the Unix time of a moment of this start of the machine, known then or by now."""
        wall = moment.wall or self._clock.moment(moment.monotonic_s).wall
        return None if wall is None else wall.timestamp()

    # What the live page's server asks for, in its threads.

    def alive(self) -> bool:
        """Say whether frames come."""
        return time.monotonic() < self._view.glance().at_s + self._config.recovery.stall_s

    def visit_picture(self, visit_id: str) -> Path | None:
        """Return the picture's file below the store; it may be gone by the time it is read."""
        if self._config.store is None:
            return None
        return self._config.store.folder / PICTURES_FOLDER / f"{visit_id}.jpg"

    def status(self) -> dict[str, Any]:
        """Return what the page shows."""
        return status_record(
            self._snapshot(),
            self._tally,
            datetime.now().astimezone(),
            self._now().wall is not None,
            self.alive(),
            self._read_health(),
            None if self._recorder is None else self._recorder.health().problem,
            self._update(),
        )

    def metrics(self) -> str:
        """Return Prometheus' text."""
        return render_metrics(self._snapshot())

    def _snapshot(self) -> MetricsSnapshot:
        glance = self._view.glance()
        health = self._read_health()
        journal = self._update()
        recorder = None if self._recorder is None else self._recorder.health()
        usage, visits = self._look_into_store()
        return MetricsSnapshot(
            version=self._version,
            bundle=self._bundle,
            uptime_s=time.monotonic() - self._started_s,
            frames=self._frames,
            frames_dropped=glance.dropped,
            frame_rate_hz=glance.rate_hz,
            latency_ms=glance.latency_ms,
            visits=visits,
            blind_s=dict(self._blind_s),
            events_waiting=0 if recorder is None else recorder.waiting,
            events_lost=0 if recorder is None else recorder.lost,
            store_bytes=None if usage is None else usage.database_bytes + usage.pictures_bytes + usage.set_aside_bytes,
            store_max_bytes=None if usage is None else usage.max_bytes,
            disk_free_bytes=health.disk_free_bytes,
            memory_bytes=health.memory_bytes,
            temperature_c=health.temperature_c,
            throttled=None if health.throttling is None else bool(health.throttling.now),
            sinks=tuple(delivery.status() for delivery in self._deliveries),
            update_state=None if journal is None else journal.state,
            update_starts=None if journal is None else journal.starts,
        )

    def _look_into_store(self) -> tuple[StoreUsage | None, dict[str, int]]:
        """Ask the store how full it is; while the disk is not to be had there is no answer."""
        store = None if self._recorder is None else self._recorder.store
        try:
            return (None, {}) if store is None else (store.usage(), store.counts())
        except DeviceError:
            return None, {}

    def _read_health(self) -> HealthSnapshot:
        """Look at the machine, at most every few seconds: vcgencmd is a process of its own."""
        with self._guard:
            read_s, health = self._health
            if time.monotonic() >= read_s + _HEALTH_S:
                folder = Path("/") if self._config.store is None else self._config.store.folder
                health = read_health(folder)
                self._health = (time.monotonic(), health)
            return health


def _store_of(recorder: Recorder) -> EventStore | None:
    return recorder.store


def _open_sinks(sinks: SinksSettings, folder: Path, version: str) -> list[Sink]:
    opened: list[Sink] = []
    if sinks.json_lines is not None:
        opened.append(JsonLinesSink(sinks.json_lines))
    if sinks.webhook is not None:
        opened.append(WebhookSink(sinks.webhook, _read_optional(sinks.webhook.token_file, "token")))
    if sinks.mqtt is not None:
        from trailcam_edge.sinks.mqtt import MqttSink  # paho-mqtt is an extra

        opened.append(MqttSink(sinks.mqtt, folder, version, _read_optional(sinks.mqtt.password_file, "password")))
    return opened


def _read_optional(path: Path | None, what: str) -> str | None:
    return None if path is None else read_secret(path, what)
