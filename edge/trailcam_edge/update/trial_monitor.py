"""Between a camera and its updater: which bundle to run, how it goes, and when to start again.

guard = UpdateGuard(updater, settings, report, gap_s=15)
bundle = guard.bundle                 # asked once: this start is counted
with guard:                           # a thread looks at the journal now and then
    guard.take(observation)           # the live loop, with every frame; returns at once
    words = guard.switch_due()        # the live loop: why to end now, so that another bundle is started, or None

The disk is touched by the thread alone, so a card that takes a second to flush costs no frame.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import UpdateError
from trailcam_edge.recognition.observation import Observation
from trailcam_edge.update.install.journal import Journal
from trailcam_edge.update.install.state_machine import pointed_to
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings

__all__ = ["UpdateGuard"]

_LOOK_S = 10.0
_JOIN_S = 5.0


@dataclass(frozen=True)
class _Seen:
    """Frames without a break: since when, the last one, and whether a visit was under way in it; monotonic times."""

    since_s: float
    last_s: float
    visit_is_open: bool


class UpdateGuard:
    """Asks the updater what to run, tells it how it goes, and notices when something else should run.

    Args:
        updater: of this device.
        settings: its section of the configuration.
        report: told what a person should know, from two threads.
        gap_s: frames further apart than this are a break in health.
        monotonic_s: a clock that only grows.
    """

    def __init__(
        self,
        updater: Updater,
        settings: UpdateSettings,
        report: Callable[[str], None],
        gap_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._updater = updater
        self._settings = settings
        self._report = report
        self.gap_s = gap_s
        self._monotonic_s = monotonic_s
        self._bundle: Path | None = None
        self._started_s = 0.0
        self._counted = False
        self._journal: Journal | None = None
        self._seen: _Seen | None = None
        self._other: tuple[float, str] | None = None  # since when another bundle should run, and why
        self._problem = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def settings(self) -> UpdateSettings:
        """What it was made with."""
        return self._settings

    def journal(self) -> Journal | None:
        """The journal as it was seen last; None before the bundle was asked for, or where it cannot be read."""
        return self._journal

    @property
    def bundle(self) -> Path:
        """The folder of the bundle to run. Asking for the first time counts a start.

        Raises:
            UpdateError: not even the built-in bundle is whole.
        """
        if self._bundle is None:
            self._started_s = self._monotonic_s()
            self._bundle = self._start()
        return self._bundle

    def take(self, observation: Observation) -> None:
        """Take a frame that was dealt with. Health begins with the first one that the model has answered."""
        now_s = self._monotonic_s()
        seen = self._seen
        whole = seen is not None and now_s - seen.last_s <= self.gap_s
        if seen is None and observation.answer is None:
            return
        since_s = seen.since_s if seen is not None and whole else now_s
        self._seen = _Seen(since_s, now_s, bool(observation.open_labels))

    def look(self) -> None:
        """Commit or roll back if it is time to, and notice when another bundle should run; never raises OSError."""
        if self._bundle is None or not self._counted:
            return  # a start that could not be counted tries nothing: what was committed runs until the next one
        now_s = self._monotonic_s()
        seen = self._seen
        healthy = seen is not None and now_s - seen.last_s <= self.gap_s
        healthy_s = seen.last_s - seen.since_s if seen is not None and healthy else 0.0
        try:
            journal = self._updater.observe(healthy_s, now_s - self._started_s, self._bundle)
        except (OSError, UpdateError) as error:
            self._complain(f"the update's journal cannot be kept: {error}")
            return
        self._problem = ""
        before, self._journal = self._journal, journal
        if before is not None and before.state == "watch" and journal.running == before.candidate:
            self._report(f"{journal.running} has proven itself and is committed.")
        wanted = self._updater.bundle_of(journal)
        if wanted == self._bundle:
            self._other = None
        elif self._other is None:
            self._other = (now_s, f"{pointed_to(journal)} is the active bundle now")

    def switch_due(self) -> str | None:
        """Say why the camera should end now, or None; an open visit is waited for, but not for ever."""
        other, seen = self._other, self._seen
        if other is None:
            return None
        now_s = self._monotonic_s()
        since_s, words = other
        visit_is_open = seen is not None and seen.visit_is_open and now_s - seen.last_s <= self.gap_s
        if visit_is_open and now_s - since_s < self._settings.switch_wait_s:
            return None
        return words

    def __enter__(self) -> "UpdateGuard":
        """Begin to look."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="update", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more; a disk that hangs is left behind."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._stopping.wait(min(_LOOK_S, self._settings.healthy_s / 4)):
            self.look()

    def _start(self) -> Path:
        try:
            bundle = self._updater.start()
            self._counted = True
        except OSError as error:
            bundle = self._updater.safe_bundle()
            self._complain(f"{error}. Starts cannot be counted, so nothing new is tried: {bundle.name} runs.")
        try:
            self._journal = journal = self._updater.status()
        except (OSError, UpdateError):
            return bundle
        if self._counted and journal.state == "watch" and self._updater.bundle_of(journal) == bundle:
            most = self._settings.most_starts
            self._report(f"{journal.candidate} is being tried, start {journal.starts} of at most {most}.")
        return bundle

    def _complain(self, words: str) -> None:
        """Say what is wrong, once as long as it is the same."""
        if words != self._problem:
            self._problem = words
            self._report(words)
