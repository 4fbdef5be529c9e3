"""Run a camera: the live loop with its station around it, read anew on SIGHUP, ended on SIGTERM, nothing lost.

What a reload changes decides how it is done. Another bundle or other rules are taken over between two frames. Anything
that is open (camera, store, sinks, live page) is closed and opened again; if that fails, the former one goes on.
A new bundle gives its golden vectors' answers first, or the old one stays.

Where the updater says what to run, another bundle is not taken over between two frames: the program ends when no visit
is open, so that the service manager starts it again and the start is counted before the bundle is touched.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from trailcam_core.classifier import Classifier
from trailcam_core.errors import BundleError, TrailcamError
from trailcam_edge.app.services import Station
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.recognition.loop import Renewal, open_configured, watch
from trailcam_edge.recognition.observation import Happening, Observation
from trailcam_edge.service.sd_notify import Notifier
from trailcam_edge.sources import OnBadFrame, Source
from trailcam_edge.update.trial_monitor import UpdateGuard

__all__ = ["Runner", "first_open", "open_notifier", "tell"]


def tell(message: str) -> None:
    """Say something to the person, beside the results."""
    print(f"trailcam: {message}", file=sys.stderr, flush=True)


def open_notifier() -> Notifier:
    """Return what talks to the service manager that started this process, if one did."""
    address = os.environ.get("NOTIFY_SOCKET")
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return Notifier(address, int(microseconds) / 1e6 if microseconds.isdecimal() else None)


def first_open(source: Source, reopen: Callable[[], Source]) -> Callable[[], Source]:
    """Return an opener that hands out ``source`` first, which is open already."""
    waiting = [source]
    return lambda: waiting.pop() if waiting else reopen()


class Output(Protocol):
    """Shows what the loop reports; entered before the first frame and left after the last."""

    def show(self, happening: Happening) -> None:
        """Show one frame, visit or blind time."""

    def __enter__(self) -> Any:
        """Begin."""

    def __exit__(self, *_: Any) -> Any:
        """End; called also after an error."""


class Stop(Protocol):
    """Asks the loop to end."""

    @property
    def event(self) -> threading.Event:
        """Set when the loop should end."""

    def start_again(self) -> bool:
        """Take back an ``event`` that the loop itself has set; False if a signal asks for the end as well."""


class Runner:
    """Watches until the source ends or somebody asks for the end."""

    def __init__(
        self,
        read: Callable[[], Config],
        open_model: Callable[[Config], Classifier],
        output: Output,
        on_bad_frame: OnBadFrame,
        stop: Stop,
        hangup: threading.Event,
        notifier: Notifier,
        version: str,
        guarded: Callable[[Config], UpdateGuard | None],
    ) -> None:
        """Name the parts.

        Args:
            read: gives the configuration; again on every reload.
            open_model: opens the model that a configuration names.
            output: shows what happens.
            on_bad_frame: told of pictures that cannot be read.
            stop: ends the watch.
            hangup: asks for a reload.
            notifier: the service manager.
            version: of this program.
            guarded: gives what says which bundle to run, or None where a person named one.
        """
        self._read = read
        self._open_model = open_model
        self._output = output
        self._on_bad_frame = on_bad_frame
        self._stop = stop
        self._hangup = hangup
        self._notifier = notifier
        self._version = version
        self._guarded = guarded
        self._guard: UpdateGuard | None = None
        self._config = read()
        self._next: Config | None = None
        self._classifier: Classifier | None = None
        self._frames = 0

    def run(self) -> None:
        """Watch, and start again as often as a reload asks for it."""
        former: Config | None = None
        with self._output:
            while True:
                self._frames = 0
                try:
                    self._watch()
                except TrailcamError as error:
                    if former is None or self._frames:
                        raise
                    tell(f"THE NEW CONFIGURATION DOES NOT WORK, the former one goes on: {error}")
                    self._config, self._classifier, former = former, None, None
                    continue
                if self._next is None or not self._stop.start_again():
                    return
                former, self._config, self._next = self._config, self._next, None

    def _watch(self) -> None:
        config = self._config
        reopen = partial(open_configured, config, self._on_bad_frame)
        source = reopen()  # before the model: a wrong name is told at once
        if self._classifier is None:
            self._classifier, self._guard = self._open(config)
        guard = self._guard
        journal = None if guard is None else guard.journal
        with Station(config, self._version, tell, self._notifier, update=journal) as station, guard or nullcontext():
            happenings = watch(
                first_open(source, reopen),
                self._classifier,
                config,
                self._stop.event,
                report=tell,
                renew=self._renew,
            )
            for happening in happenings:
                self._frames += isinstance(happening, Observation)
                self._output.show(happening)
                station.take(happening, self._classifier.name)
                if guard is not None and isinstance(happening, Observation):
                    guard.take(happening)
            if self._next is None:
                self._notifier.stopping()

    def _open(self, config: Config) -> tuple[Classifier, UpdateGuard | None]:
        """Open the model that a person named, or else the updater; the guard at work goes on if its settings are."""
        guard = self._guarded(config)
        if guard is None:
            return self._open_model(config), None
        if self._guard is not None and self._guard.settings == guard.settings:
            self._guard.gap_s, guard = guard.gap_s, self._guard
        return self._open_model(replace(config, model=replace(config.model, bundle=guard.bundle))), guard

    def _renew(self) -> Renewal | None:
        """Read everything again if somebody asked for it; whatever is wrong with the new leaves the old in place."""
        words = None if self._guard is None else self._guard.switch_due()
        if words is not None and not self._stop.event.is_set():
            tell(f"{words}: ending, so that the service manager starts it.")
            self._stop.event.set()
            return None
        if not self._hangup.is_set():
            return None
        self._hangup.clear()
        self._notifier.reloading()
        try:
            config = self._read()
            classifier, guard = self._open(config)
            _prove(classifier)
        except TrailcamError as error:
            tell(f"RELOAD REFUSED, everything goes on as before: {error}")
            return None
        self._classifier = classifier
        if guard is not self._guard or _opened_by(config) != _opened_by(self._config):
            tell("reloading: camera, store, sinks or live page are opened again.")
            self._next, self._guard = config, guard
            self._stop.event.set()
            return None
        self._config = config
        tell(f"reloaded: {classifier.name}.")
        return Renewal(classifier, config)


def _prove(classifier: Classifier) -> None:
    """Let a bundle show that it gives the laboratory's answers on this machine.

    Raises:
        BundleError: it does not.
    """
    try:
        bundle = classifier.bundle
    except ValueError:
        return  # a bare model brings no golden vectors
    found = classifier.replay_golden()
    if not found.passed:
        raise BundleError(f"{bundle.model_path.parent}: fails its golden vectors on this machine ({found.culprit}).")


def _opened_by(config: Config) -> Config:
    """Return the part of a configuration that is held open while the camera watches."""
    default = Config()
    return replace(config, model=default.model, motion=default.motion, visits=default.visits, watch=default.watch)
