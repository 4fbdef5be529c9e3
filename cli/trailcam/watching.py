"""Run a camera: the live loop with its station around it, read anew on SIGHUP, ended on SIGTERM, nothing lost.

What a reload changes decides how it is done. Another bundle or other rules are taken over between two frames. Anything
that is open (camera, store, sinks, live page) is closed and opened again; if that fails, the former one goes on.
A new bundle gives its golden vectors' answers first, or the old one stays.
"""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from trailcam import __version__
from trailcam.commands.watch_output import JsonOutput, TextOutput
from trailcam.signals import Stop
from trailcam_edge.classifier import Classifier
from trailcam_edge.config import Config
from trailcam_edge.errors import BundleError, TrailcamError
from trailcam_edge.notify import Notifier
from trailcam_edge.sources import OnBadFrame, Source
from trailcam_edge.station import Station
from trailcam_edge.watch import Observation, Renewal, open_configured, watch

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


class Runner:
    """Watches until the source ends or somebody asks for the end."""

    def __init__(
        self,
        read: Callable[[], Config],
        open_model: Callable[[Config], Classifier],
        output: JsonOutput | TextOutput,
        on_bad_frame: OnBadFrame,
        stop: Stop,
        hangup: threading.Event,
        notifier: Notifier,
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
        """
        self._read = read
        self._open_model = open_model
        self._output = output
        self._on_bad_frame = on_bad_frame
        self._stop = stop
        self._hangup = hangup
        self._notifier = notifier
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
        reopen = partial(open_configured, config.settings, self._on_bad_frame)
        source = reopen()  # before the model: a wrong name is told at once
        self._classifier = self._classifier or self._open_model(config)
        with Station(config, __version__, tell, self._notifier) as station:
            happenings = watch(
                first_open(source, reopen),
                self._classifier,
                config.settings,
                self._stop.event,
                report=tell,
                renew=self._renew,
            )
            for happening in happenings:
                self._frames += isinstance(happening, Observation)
                self._output.show(happening)
                station.take(happening, self._classifier.name)
            if self._next is None:
                self._notifier.stopping()

    def _renew(self) -> Renewal | None:
        """Read everything again if somebody asked for it; whatever is wrong with the new leaves the old in place."""
        if not self._hangup.is_set():
            return None
        self._hangup.clear()
        self._notifier.reloading()
        try:
            config = self._read()
            classifier = self._open_model(config)
            _prove(classifier)
        except TrailcamError as error:
            tell(f"RELOAD REFUSED, everything goes on as before: {error}")
            return None
        self._classifier = classifier
        if _opened_by(config) != _opened_by(self._config):
            tell("reloading: camera, store, sinks or live page are opened again.")
            self._next = config
            self._stop.event.set()
            return None
        self._config = config
        tell(f"reloaded: {classifier.name}.")
        return Renewal(classifier, config.settings)


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
