"""The trial monitor connects a running camera with the updater: bundle to run, health of the trial, due restart.

monitor = TrialMonitor(updater, settings, gap_s=15)
bundle = monitor.bundle               # counts this start once
with monitor:                         # a thread checks the journal periodically
    monitor.record_frame(result)      # the live loop, for every frame; returns at once
    reason = monitor.restart_due()    # the live loop: the reason to end now, so that another bundle is started, or None

Only the thread accesses the disk, so a card that takes a second to flush costs no frame.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import UpdateError
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.update.install.journal import Journal
from trailcam_edge.update.install.state_machine import active_slot
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings

_log = logging.getLogger(__name__)
_CHECK_S = 10.0
_JOIN_S = 5.0


@dataclass(frozen=True)
class _Health:
    """Uninterrupted frames: since when, the last one, and whether a visit was open in it; monotonic times."""

    since_s: float
    last_s: float
    visit_is_open: bool


class TrialMonitor:
    """Get the bundle to run from the updater, report the health of the camera, and detect a due restart.

    Args:
        updater: of this device.
        settings: section ``[update]`` of the configuration.
        gap_s: a longer gap between two frames interrupts the health.
        monotonic_s: a monotonic clock.
    """

    def __init__(
        self,
        updater: Updater,
        settings: UpdateSettings,
        gap_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._updater = updater
        self._settings = settings
        self.gap_s = gap_s
        self._monotonic_s = monotonic_s
        self._bundle: Path | None = None
        self._started_s = 0.0
        self._counted = False
        self._journal: Journal | None = None
        self._health: _Health | None = None
        self._other: tuple[float, str] | None = None  # since when another bundle should run, and the reason
        self._problem = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def settings(self) -> UpdateSettings:
        """The settings it was made with."""
        return self._settings

    def journal(self) -> Journal | None:
        """Return the journal as last read; None before ``bundle`` was used, or if it cannot be read."""
        return self._journal

    @property
    def bundle(self) -> Path:
        """The folder of the bundle to run. The first access counts a start.

        Raises:
            UpdateError: even the built-in bundle is damaged.
        """
        if self._bundle is None:
            self._started_s = self._monotonic_s()
            self._bundle = self._start()
        return self._bundle

    def record_frame(self, result: FrameResult) -> None:
        """Record a processed frame. Health begins with the first: the loop classified it, even if nothing moved."""
        now_s = self._monotonic_s()
        health = self._health
        uninterrupted = health is not None and now_s - health.last_s <= self.gap_s
        since_s = health.since_s if health is not None and uninterrupted else now_s
        self._health = _Health(since_s, now_s, bool(result.open_labels))

    def check(self) -> None:
        """Commit or roll back if it is due, and detect another active bundle; never raises OSError."""
        if self._bundle is None or not self._counted:
            return  # a start that could not be counted tries nothing: the committed bundle runs until the next start
        now_s = self._monotonic_s()
        health = self._health
        healthy = health is not None and now_s - health.last_s <= self.gap_s
        healthy_s = health.last_s - health.since_s if health is not None and healthy else 0.0
        try:
            journal = self._updater.observe(healthy_s, now_s - self._started_s, self._bundle)
        except (OSError, UpdateError) as error:
            self._log_once(f"the update's journal cannot be kept: {error}")
            return
        self._problem = ""
        before, self._journal = self._journal, journal
        if before is not None and before.state == "watch" and journal.running == before.candidate:
            _log.info("%s has proven itself and is committed.", journal.running)
        if self._updater.bundle_of(journal) == self._bundle:
            self._other = None
        elif self._other is None:
            self._other = (now_s, f"{active_slot(journal)} is the active bundle now")

    def restart_due(self) -> str | None:
        """Return the reason for ending the program now, or None; an open visit delays it for a limited time."""
        other, health = self._other, self._health
        if other is None:
            return None
        now_s = self._monotonic_s()
        since_s, reason = other
        visit_is_open = health is not None and health.visit_is_open and now_s - health.last_s <= self.gap_s
        if visit_is_open and now_s - since_s < self._settings.switch_wait_s:
            return None
        return reason

    def __enter__(self) -> "TrialMonitor":
        """Start the thread."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="update", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the thread; one that waits for a hanging disk is abandoned."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._stopping.wait(min(_CHECK_S, self._settings.healthy_s / 4)):
            self.check()

    def _start(self) -> Path:
        try:
            bundle = self._updater.start()
            self._counted = True
        except OSError as error:
            bundle = self._updater.safe_bundle()
            self._log_once(f"{error}. Starts cannot be counted, so nothing new is tried: {bundle.name} runs.")
        try:
            self._journal = journal = self._updater.status()
        except (OSError, UpdateError):
            return bundle
        if self._counted and journal.state == "watch" and self._updater.bundle_of(journal) == bundle:
            limit = self._settings.most_starts
            _log.warning("%s is being tried, start %d of at most %d.", journal.candidate, journal.starts, limit)
        return bundle

    def _log_once(self, problem: str) -> None:
        """Log a problem once for as long as it stays the same."""
        if problem != self._problem:
            self._problem = problem
            _log.error("%s", problem)
