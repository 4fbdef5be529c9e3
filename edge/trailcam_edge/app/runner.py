"""Run a camera: the live loop and the device services, reloaded on SIGHUP, ended on SIGTERM without losing an event.

A reload applies another bundle or other rules between two frames. Open resources (camera, store, sinks, live page) are
closed and reopened; if that fails, the former configuration continues. A new bundle must reproduce its golden vectors
first, or the old one stays.

If the updater selects the bundle, another one is not applied between two frames: the program ends when no visit is
open, so that the service manager restarts it and the start is counted before the bundle is used.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from trailcam_core.classifier import Classifier
from trailcam_core.errors import BundleError, ConfigError, TrailcamError
from trailcam_edge.app.services import DeviceServices
from trailcam_edge.clips.service import Clips
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.events.clock import Clock, RecordingClock, SystemClock
from trailcam_edge.recognition.frame_result import FrameResult, WatchEvent
from trailcam_edge.recognition.loop import ModelReload, open_configured, watch
from trailcam_edge.service.sd_notify import Notifier
from trailcam_edge.sources import OnBadFrame, Source
from trailcam_edge.update.trial_monitor import TrialMonitor

_log = logging.getLogger(__name__)


def open_notifier() -> Notifier:
    """Return the notifier of the service manager that started this process, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return Notifier(address, int(microseconds) / 1e6 if microseconds.isdecimal() else None)


def open_first(source: Source, reopen: Callable[[], Source]) -> Callable[[], Source]:
    """Return an opener that returns the open ``source`` first, and then calls ``reopen``."""
    waiting = [source]
    return lambda: waiting.pop() if waiting else reopen()


class Output(Protocol):
    """Output of the live loop; entered before the first frame and left after the last."""

    def show(self, event: WatchEvent) -> None:
        """Show one frame, visit or blind time."""

    def __enter__(self) -> Any:
        """Begin."""

    def __exit__(self, *_: Any) -> Any:
        """End; called also after an error."""


class Stop(Protocol):
    """Request to end the loop."""

    @property
    def event(self) -> threading.Event:
        """Set when the loop should end."""

    def start_again(self) -> bool:
        """Clear an ``event`` that the loop itself has set; return False if a signal requests the end as well."""


@dataclass(frozen=True)
class RunnerParts:
    """Parts of a camera that depend on the command line.

    Args:
        read: returns the configuration; called again for every reload.
        open_model: opens the model of a configuration.
        select_monitor: returns the monitor that selects the bundle, or None if the user selected one.
        output: of events.
        on_bad_frame: called with the error of an unreadable image.
        recorded_at: returns when a recording began, with its zone, as its file states it; None if it does not.
        notifier: of the service manager.
        version: of this program.
    """

    read: Callable[[], Config]
    open_model: Callable[[Config], Classifier]
    select_monitor: Callable[[Config], TrialMonitor | None]
    output: Output
    on_bad_frame: OnBadFrame
    recorded_at: Callable[[Path], datetime | None]
    notifier: Notifier
    version: str


class Runner:
    """Watch until the source ends or a signal requests the end.

    Args:
        parts: of the camera.
        stop: ends the watch.
        hangup: requests a reload.
    """

    def __init__(self, parts: RunnerParts, stop: Stop, hangup: threading.Event) -> None:
        self._parts = parts
        self._stop = stop
        self._hangup = hangup
        self._monitor: TrialMonitor | None = None
        self._config = parts.read()
        self._next: Config | None = None
        self._classifier: Classifier | None = None
        self._frames = 0
        self._restarts = False  # the service manager starts the program again

    def run(self) -> None:
        """Watch, and start again after every reload that reopens resources."""
        former: Config | None = None
        with self._parts.output:
            while True:
                self._frames = 0
                try:
                    self._watch()
                except (TrailcamError, OSError) as error:
                    if former is None or self._frames:
                        raise
                    _log.error("the new configuration does not work, the former one continues: %s", error)
                    self._config, self._classifier, former = former, None, None
                    continue
                if self._next is None or not self._stop.start_again():
                    return
                former, self._config, self._next = self._config, self._next, None

    def _watch(self) -> None:
        config, parts = self._config, self._parts
        reopen = partial(open_configured, config, parts.on_bad_frame)
        source = reopen()  # before the model, so that an invalid source fails fast
        if source.delivery == "stills":
            _check_stills(config)
        path = Path(config.camera.source)
        clock = RecordingClock(parts.recorded_at(path)) if path.is_file() else SystemClock()
        if self._classifier is None:
            self._classifier, self._monitor = self._open(config)
        monitor = self._monitor
        journal = None if monitor is None else monitor.journal
        clips = _open_clips(config, clock) if source.delivery != "stills" else None
        with (
            DeviceServices(config, parts.version, parts.notifier, clock, journal, clips) as services,
            monitor or nullcontext(),
        ):
            first = open_first(source, reopen)
            first = first if clips is None else clips.tapped(first)
            changes = config.wants_changes
            for event in watch(first, self._classifier, config, self._stop.event, clock, self._poll_reload, changes):
                self._frames += isinstance(event, FrameResult)
                parts.output.show(event)
                services.handle_event(event, self._classifier.name)
                if monitor is not None and isinstance(event, FrameResult):
                    monitor.record_frame(event)
            if self._next is None:
                parts.notifier.stopping()
            if self._next is not None or self._restarts:
                services.announce_switch()

    def _open(self, config: Config) -> tuple[Classifier, TrialMonitor | None]:
        """Open the model that the user or the updater selects; a monitor with the same settings is kept."""
        monitor = self._parts.select_monitor(config)
        if monitor is None:
            return self._open_model(config), None
        if self._monitor is not None and self._monitor.settings == monitor.settings:
            self._monitor.gap_s, monitor = monitor.gap_s, self._monitor
        return self._open_model(replace(config, model=replace(config.model, bundle=monitor.bundle))), monitor

    def _open_model(self, config: Config) -> Classifier:
        classifier = self._parts.open_model(config)
        if config.motion.zoom_every_s:
            classifier.check_zoom()
        return classifier

    def _poll_reload(self) -> ModelReload | None:
        """Reload the configuration if requested; after any error the old one stays in place."""
        reason = None if self._monitor is None else self._monitor.restart_due()
        if reason is not None and not self._stop.event.is_set():
            _log.warning("%s: ending, so that the service manager starts it.", reason)
            self._restarts = True
            self._stop.event.set()
            return None
        if not self._hangup.is_set():
            return None
        self._hangup.clear()
        self._parts.notifier.reloading()
        try:
            config = self._parts.read()
            classifier, monitor = self._open(config)
            _check_golden(classifier)
        except (TrailcamError, OSError) as error:
            _log.error("reload refused, the camera continues as before: %s", error)
            return None
        self._classifier = classifier
        if monitor is not self._monitor or _resources(config) != _resources(self._config):
            _log.info("reloading: camera, store, sinks or live page are reopened.")
            self._next, self._monitor = config, monitor
            self._stop.event.set()
            return None
        self._config = config
        _log.info("reloaded: %s.", classifier.name)
        return ModelReload(classifier, config)


def _check_stills(config: Config) -> None:
    """Log what a folder of pictures does not give; the demo, which shows every part, may have a store that stays empty.

    Raises:
        ConfigError: a folder is to be watched into a store.
    """
    source = config.camera.source
    reason = f"{source}: pictures are classified one by one here; their times are not read, so they give no visits"
    advice = f'For visits use "trailcam card {source} --store DIR", for a table "trailcam classify {source}".'
    if config.store is None:
        if source != "demo":
            _log.warning("%s. %s", reason, advice)
    elif source != "demo":
        raise ConfigError(f"{reason}, and the store would keep nothing. {advice}")
    else:
        _log.warning("%s, and the store keeps nothing of them.", reason)


def _open_clips(config: Config, clock: Clock) -> Clips | None:
    """Return the clips of a configuration, None without ``[clips]``.

    Raises:
        ConfigError: PyAV is not installed.
    """
    if config.clips is None:
        return None
    return Clips(config.clips, clock, config.visits.vote_age_s, config.visits.keep_person_pictures)


def _check_golden(classifier: Classifier) -> None:
    """Check that a bundle reproduces its golden vectors on this machine.

    Raises:
        BundleError: it does not.
    """
    try:
        bundle = classifier.bundle
    except ValueError:
        return  # a bare model has no golden vectors
    found = classifier.replay_golden()
    if not found.passed:
        raise BundleError(f"{bundle.model_path.parent}: fails its golden vectors on this machine ({found.culprit}).")


def _resources(config: Config) -> Config:
    """Return the part of a configuration whose resources stay open while the camera watches."""
    default = Config()
    rules = {name: getattr(default, name) for name in ("model", "motion", "visits", "watch", "schedule")}
    if config.clips is not None:
        del rules["visits"]  # clips depend on them
    return replace(config, **rules)
