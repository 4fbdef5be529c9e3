"""Between the live loop and the disk: takes events without waiting, stores them in its own thread, outlives the disk.

When the disk is full, read-only or failing, events wait in memory: a few with their pictures, many more without. The
recorder tries again, and when it succeeds it stores how long nothing could be stored as a blind time with its reason.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from trailcam_core.errors import DeviceError
from trailcam_edge.events import BlindTime, Moment, Visit
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.store_errors import StoreCorruptError, StoreUnavailableError

__all__ = ["Recorder", "RecorderHealth", "RecorderLimits"]


@dataclass(frozen=True)
class RecorderLimits:
    """What may wait in memory, and how often things are tried: a 1080p picture is 6 MB, a visit without one 1 kB."""

    waiting: int = 10_000
    pictures_waiting: int = 4
    retry_s: float = 30.0
    watch_s: float = 60.0


@dataclass(frozen=True)
class RecorderHealth:
    """How storing goes: events waiting, stored and lost since the start, and what is wrong now, if anything."""

    waiting: int
    stored: int
    lost: int
    pictures_dropped: int
    problem: str | None


@dataclass(frozen=True)
class _Pulse:
    moment: Moment
    bundle: str
    frames: int


class Recorder:
    """Takes events from the live loop; ``visit``, ``blind`` and ``watching`` return at once, whatever the disk does."""

    def __init__(
        self,
        open_store: Callable[[], EventStore],
        now: Callable[[], Moment],
        report: Callable[[str], None],
        limits: RecorderLimits | None = None,
    ) -> None:
        """Open the store and start the thread.

        Args:
            open_store: called again after the database was damaged, or while the disk is not to be had.
            now: the clock.
            report: told what a person should know, from the recorder's thread.
            limits: what may wait in memory.

        Raises:
            DeviceError: another process writes there, or the database is of a newer Trailcam or not Trailcam's. A disk
                that is full or read-only is no error: the camera watches on, and what it sees waits.
        """
        self._open_store = open_store
        self._now = now
        self._report = report
        self._limits = limits or RecorderLimits()
        self._changed = threading.Condition()
        self._jobs: deque[Visit | BlindTime] = deque()
        self._pulse: _Pulse | None = None
        self._watch: tuple[int, str] | None = None
        self._watch_written_s = float("-inf")
        self._problem: tuple[str, Moment] | None = None
        self._stored = self._lost = self._pictures_dropped = 0
        self._closing = False
        self._listeners: list[Callable[[], None]] = []
        self.store: EventStore | None = None
        try:
            self.store = open_store()
        except StoreUnavailableError as error:
            self._fail(error)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def visit(self, visit: Visit) -> None:
        """Store a visit soon. With too many pictures waiting it goes without its own."""
        with self._changed:
            pictures = sum(isinstance(job, Visit) and job.best_frame is not None for job in self._jobs)
            if visit.best_frame is not None and pictures >= self._limits.pictures_waiting:
                visit = replace(visit, best_frame=None)
                self._pictures_dropped += 1
            self._add(visit)

    def blind(self, blind: BlindTime) -> None:
        """Store a blind time soon."""
        with self._changed:
            self._add(blind)

    def watching(self, moment: Moment, bundle: str, frames: int) -> None:
        """Say that the camera watches with this bundle and has seen so many frames; may be called for every frame."""
        with self._changed:
            first = self._pulse is None
            self._pulse = _Pulse(moment, bundle, frames)
            if first:
                self._changed.notify()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after events were stored, from the recorder's thread; it must return at once."""
        self._listeners.append(listener)

    def health(self) -> RecorderHealth:
        """Return how storing goes."""
        with self._changed:
            problem = None if self._problem is None else self._problem[0]
            return RecorderHealth(len(self._jobs), self._stored, self._lost, self._pictures_dropped, problem)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Store what waits, close the store, and return whether everything was stored."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            if self._jobs:
                self._report(f"{len(self._jobs)} events could not be stored before the end and are lost.")
            return not self._jobs and not self._lost and not self._thread.is_alive()

    def _add(self, job: Visit | BlindTime) -> None:
        if len(self._jobs) >= self._limits.waiting:
            self._lost += 1
            return
        self._jobs.append(job)
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work, timeout=self._limits.watch_s)
                closing = self._closing
            worked = self._work(closing)
            with self._changed:
                if closing and (not worked or not self._jobs):
                    break
                if not worked:
                    self._changed.wait_for(lambda: self._closing, timeout=self._limits.retry_s)
        if self.store is not None:
            self.store.close()

    def _has_work(self) -> bool:
        return bool(self._jobs) or self._closing or self._watch_is_due(self._pulse)

    def _watch_is_due(self, pulse: _Pulse | None) -> bool:
        if pulse is None:
            return False
        other = self._watch is None or self._watch[1] != pulse.bundle
        return other or pulse.moment.monotonic_s >= self._watch_written_s + self._limits.watch_s

    def _work(self, closing: bool, again: bool = True) -> bool:
        """Store everything that waits; False if the disk does not let us."""
        try:
            store = self.store = self.store or self._open_store()
            self._store_pulse(store, closing)
            while self._jobs:
                self._store_job(store, self._jobs[0])
                with self._changed:
                    self._jobs.popleft()
                    self._stored += 1
            self._recover(store)
        except StoreCorruptError as error:
            self._report(str(error))
            if self.store is not None:
                self.store.close()
            self.store = self._watch = None  # opening it again sets it aside and starts a new one
            return self._reopen() and again and self._work(closing, again=False)
        except DeviceError as error:
            self._fail(error)
            return False
        for listener in self._listeners:
            listener()
        return True

    def _reopen(self) -> bool:
        try:
            self.store = self._open_store()
        except DeviceError as error:
            self._fail(error)
        return self.store is not None

    def _store_job(self, store: EventStore, job: Visit | BlindTime) -> None:
        """Store one event; a wrong one must not hold up all others, so it goes without its picture, or not at all."""
        try:
            if isinstance(job, BlindTime):
                store.add_blind_time(job)
            else:
                store.add_visit(job)
        except (StoreUnavailableError, StoreCorruptError):
            raise
        except Exception as error:  # the supervisor of storing: whatever is wrong with one event ends with it
            self._report(f"An event cannot be stored as it is ({type(error).__name__}: {error}): {job!r}.")
            if isinstance(job, Visit) and job.best_frame is not None:
                self._store_job(store, replace(job, best_frame=None))
            else:
                self._lost += 1

    def _store_pulse(self, store: EventStore, closing: bool) -> None:
        pulse = self._pulse
        if pulse is None or not (closing or self._watch_is_due(pulse)):
            return
        if self._watch is None or self._watch[1] != pulse.bundle:
            self._watch = (store.begin_watch(pulse.moment, pulse.bundle), pulse.bundle)
        store.move_watch_on(self._watch[0], pulse.moment, pulse.frames)
        self._watch_written_s = pulse.moment.monotonic_s

    def _fail(self, error: DeviceError) -> None:
        reason = error.reason if isinstance(error, StoreUnavailableError) else "store not available"
        with self._changed:
            news = self._problem is None or self._problem[0] != reason
            started = self._now() if self._problem is None else self._problem[1]
            self._problem = (reason, started)
        if news:
            self._report(f"{error} The camera watches on and tries again every {self._limits.retry_s:g} s.")

    def _recover(self, store: EventStore) -> None:
        if self._problem is None:
            return
        reason, started = self._problem
        store.add_blind_time(BlindTime(reason, started, self._now()))
        with self._changed:
            self._problem = None
        self._report(f"Events are stored again; nothing was for a while: {reason}.")
