"""Device services around the live loop: store, sinks, live page, service manager.

``handle_event`` takes the events of the loop and never slows it down. ``close`` ends everything in the order that loses
nothing: sink workers first, then the recorder, which stores the waiting events.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from trailcam_core.files.secret_file import read_secret
from trailcam_edge.app.collector import Collector
from trailcam_edge.app.reports import DeviceReports
from trailcam_edge.app.sinks import SinkParts, open_sinks
from trailcam_edge.clips.service import Clips
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.events import NOTHING, UNKNOWN, BlindTime, Moment, SuppressedVisit, Visit, VisitChange
from trailcam_edge.events.clock import Clock, SystemClock
from trailcam_edge.live.access import Access, new_token, parse_address
from trailcam_edge.live.server import LiveServer, serve_live
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.recognition.frame_result import FrameResult, WatchEvent
from trailcam_edge.service.sd_notify import Notifier
from trailcam_edge.sinks.worker import SinkWorker
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.recorder import Recorder
from trailcam_edge.update.install.journal import Journal

_log = logging.getLogger(__name__)
_HEARTBEAT_S = 1.0  # interval of the heartbeat to the recorder and the service manager
_SINKS_END_S = 6.0  # for all sinks together; a service manager waits 30 s
_MAX_LOADED = 5_000  # stored visits that the page counts after a start
_LOADED_AT_ONCE = 200


class DeviceServices:
    """All configured services, open. A context manager; leave it to store the waiting events."""

    def __init__(
        self,
        config: Config,
        version: str,
        notifier: Notifier | None = None,
        clock: Clock | None = None,
        update: Callable[[], Journal | None] | None = None,
        clips: Clips | None = None,
    ) -> None:
        """Open the store, start the sink workers and the live page.

        Args:
            config: selects the services.
            version: of Trailcam.
            notifier: of the service manager.
            clock: dates events.
            update: returns the update journal, or None if updates are not configured.
            clips: of visits; they are closed here.

        Raises:
            ConfigError: a token or secret that cannot be used.
            DeviceError: the store cannot be used, or the port is in use.
        """
        self._notifier = notifier or Notifier(None)
        self._clock = clock or SystemClock()
        self._reports = DeviceReports(config, version, self._clock, update or (lambda: None))
        self._clips = clips
        self._bundle = ""
        self._frame_s = self._clock.monotonic_s()  # timestamp of the newest frame
        self._frames_of_bundle = 0
        self._heartbeat_s = float("-inf")
        self._workers: list[SinkWorker] = []
        self._expecting: list[tuple[Callable[[str], bool], SinkWorker]] = []
        self._recorder: Recorder | None = None
        self._server: LiveServer | None = None
        self._collector: Collector | None = None
        with ExitStack() as undo:  # close what is open if the rest cannot be opened
            undo.callback(self.close)
            if config.store is not None:
                self._recorder = Recorder(partial(EventStore, config.store, config.collect), self._now)
                self._collector = self._make_collector(config, self._recorder)
                if config.live is not None and self._recorder.store is not None:
                    self._load_counts(self._recorder.store)
                self._reports.connect(self._recorder, self._workers)
                if clips is not None:
                    clips.connect(self._recorder.clip)
                source = partial(_store_of, self._recorder)
                for opened in open_sinks(config, SinkParts(version, source, self._reports.summary)):
                    worker = SinkWorker(opened.sink, source, kinds=opened.kinds, refresh=opened.refresh)
                    self._workers.append(worker)
                    self._recorder.subscribe(worker.wake)
                    if opened.subscribe is not None:
                        opened.subscribe(worker.wake)
                    if opened.expect is not None:
                        self._expecting.append((opened.expect, worker))
            if config.live is not None:
                self._server = self._serve(config.live)
            undo.pop_all()

    @property
    def reports(self) -> DeviceReports:
        """Status and metrics, as the live page shows them."""
        return self._reports

    def announce_switch(self) -> None:
        """Let the page show that the program ends only to start again."""
        self._reports.phase = "switching"

    def handle_event(self, event: WatchEvent, bundle: str) -> None:
        """Pass an event of the loop to the services; returns at once.

        Args:
            event: a frame, a visit or what becomes of it, or a blind time.
            bundle: name of the model that classifies.
        """
        if isinstance(event, FrameResult):
            self._handle_frame(event, bundle)
        elif isinstance(event, BlindTime):
            self._reports.add_blind_time(event)
            if self._collector is not None:
                self._collector.interrupt()
            if self._recorder is not None:
                self._recorder.blind(event)
        elif isinstance(event, VisitChange):
            if self._recorder is not None:
                self._recorder.change(event)
            if self._clips is not None:
                self._clips.change(event)
        elif isinstance(event, SuppressedVisit):
            self._reports.add_suppressed(event)
        else:
            self._handle_visit(event)

    def close(self) -> None:
        """End all services; returns when the waiting events are stored, or cannot be."""
        self._heartbeat()
        if self._reports.phase == "watching":
            self._reports.phase = "ended"
        self._reports.view.close()
        if self._server is not None:
            self._server.stop()
        if self._clips is not None:  # before the recorder, which stores them
            self._clips.close()
        for worker in self._workers:
            worker.stop()
        until_s = time.monotonic() + _SINKS_END_S
        for worker in self._workers:
            worker.close(max(0.1, until_s - time.monotonic()))
        if self._recorder is not None:
            self._recorder.close()

    def __enter__(self) -> "DeviceServices":
        """Return the services, which are open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all services."""
        self.close()

    def _handle_frame(self, result: FrameResult, bundle: str) -> None:
        if bundle != self._bundle:
            self._bundle, self._frames_of_bundle, self._heartbeat_s = bundle, 0, float("-inf")
        if not result.paused:
            self._frames_of_bundle += 1
            self._frame_s = result.frame.timestamp_s
        if self._clips is not None:
            self._clips.frame(result.outcome, result.frame.timestamp_s)
        self._reports.add_frame(result, bundle)
        self._expect(result.outcome)
        if self._collector is not None:
            self._collector.see(result, bundle)
        if self._server is not None:
            self._reports.view.show(result)
        now_s = time.monotonic()
        if now_s >= self._heartbeat_s + _HEARTBEAT_S:
            self._heartbeat_s = now_s
            if not result.paused:
                self._heartbeat()
            state = "outside the hours of [schedule]" if result.paused else f"{result.rate_hz:.1f} frames/s"
            self._notifier.frame(f"{state}, {bundle}")

    def _expect(self, outcome: str | None) -> None:
        """Let sinks get ready while the votes are counted: the first message is then not late."""
        if outcome not in (None, UNKNOWN, NOTHING):
            for expect, worker in self._expecting:
                if expect(str(outcome)):
                    worker.wake()

    def _heartbeat(self) -> None:
        moment = self._clock.moment(self._frame_s)
        if self._recorder is not None and self._bundle:
            self._recorder.heartbeat(moment, self._bundle, self._frames_of_bundle)

    def _handle_visit(self, visit: Visit) -> None:
        if self._recorder is not None:
            self._recorder.visit(visit)
        has_picture = self._recorder is not None and visit.best_frame is not None
        self._reports.counts.add(visit, has_picture=has_picture)

    def _make_collector(self, config: Config, recorder: Recorder) -> Collector | None:
        """Return what draws pictures of times without a visit, None if nothing of these is to be kept."""
        rules, is_visit = config.visits, UNKNOWN in config.visits.reported_outcomes
        made = Collector(config.collect, self._clock, rules.cool_down_s, recorder.sample, not is_visit)
        return made if made.is_on else None

    def _serve(self, live: LiveSettings) -> LiveServer:
        address = parse_address(live.address)
        token = None if live.token_file is None else read_secret(live.token_file, "token")
        generated = token is None and not address.is_loopback
        access = Access(address, new_token() if generated else token, live.hosts)
        server = serve_live(address, access, live.viewers, self._reports.view, self._reports)
        url = f"http://{address.shown}/" if address.port else f"http://{address.host}:{server.port}/"
        if generated:
            _log.info("live page: %s?token=%s (a new token with every start; token_file sets one)", url, access.token)
        else:
            _log.info("live page: %s%s", url, " (with the token)" if access.needs_token else "")
        return server

    def _load_counts(self, store: EventStore) -> None:
        """Count the stored visits for the page: a convenience, whose failure must not end the camera."""
        try:
            last = store.last_event_id()
            at = max(0, last - _MAX_LOADED)
            while at < last and (events := store.events_after(at, _LOADED_AT_ONCE)):
                self._reports.counts.load(events)
                at = events[-1].event_id
        except Exception as error:  # of any kind: the row may be damaged
            _log.warning("The live page starts without the stored visits (%s: %s).", type(error).__name__, error)

    def _now(self) -> Moment:
        return self._clock.moment(self._clock.monotonic_s())


def _store_of(recorder: Recorder) -> EventStore | None:
    return recorder.store
