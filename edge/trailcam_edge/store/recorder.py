"""The recorder: accept events from the live loop without waiting, and store them in a separate thread.

While the disk is full, read-only or failing, events wait in memory: a few with their pictures, many more without. The
recorder retries, and after a success it stores the outage as a blind time with its reason.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trailcam_core.errors import DeviceError
from trailcam_edge.events import UPDATED, BlindTime, Clip, KeptPicture, Moment, PictureSample, Visit, VisitChange
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.store_errors import LOCKED, StoreCorruptError, StoreUnavailableError

if TYPE_CHECKING:
    from trailcam_core.images.resize import Image

_log = logging.getLogger(__name__)
_LOCKED_RETRY_S = 3.0


@dataclass(frozen=True)
class RecorderLimits:
    """Limits of the memory queue, and intervals: a 1080p picture takes 3 to 6 MB, a visit without one 1 kB."""

    max_waiting: int = 10_000
    max_pictures: int = 4
    max_clips: int = 2
    retry_s: float = 30.0
    heartbeat_s: float = 60.0


@dataclass(frozen=True)
class RecorderHealth:
    """State of the recorder: events waiting, stored and lost since the start, and the current problem, if any."""

    waiting: int
    stored: int
    lost: int
    pictures_dropped: int
    problem: str | None


_Job = Visit | VisitChange | BlindTime | Clip | PictureSample


@dataclass(frozen=True)
class _Heartbeat:
    moment: Moment
    bundle: str
    frames: int


class Recorder:
    """Store events of the live loop; ``visit``, ``blind`` and ``heartbeat`` never wait for the disk."""

    def __init__(
        self,
        open_store: Callable[[], EventStore],
        now: Callable[[], Moment],
        limits: RecorderLimits | None = None,
    ) -> None:
        """Open the store and start the thread.

        Args:
            open_store: called again after the database was damaged, or while the disk is unavailable.
            now: the clock.
            limits: of the memory queue.

        Raises:
            DeviceError: another process writes there, or the database belongs to a newer Trailcam or another program. A
                full or read-only disk, or a damaged or locked database, is not an error: the camera continues, and its
                events wait.
        """
        self._open_store = open_store
        self._now = now
        self._limits = limits or RecorderLimits()
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._heartbeat: _Heartbeat | None = None
        self._watch: tuple[int, str] | None = None
        self._watch_written_s = float("-inf")
        self._problem: tuple[str, Moment] | None = None
        self._stored = self._lost = self._lost_before = self._pictures_dropped = 0
        self._closing = False
        self._listeners: list[Callable[[], None]] = []
        self.store: EventStore | None = None
        try:
            self.store = open_store()
        except (StoreUnavailableError, StoreCorruptError) as error:
            self._fail(error)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def visit(self, visit: Visit) -> None:
        """Queue a visit, without its picture if too many pictures are waiting."""
        with self._changed:
            if visit.best_frame is not None and self._has_many_pictures():
                visit = replace(visit, best_frame=None)
                self._pictures_dropped += 1
            self._add(visit)

    def change(self, change: VisitChange) -> None:
        """Queue a change of an open visit, without its picture if too many pictures are waiting.

        While nothing can be stored, an update is dropped: the visit itself will come.
        """
        with self._changed:
            if self._problem is not None and change.kind == UPDATED:
                return
            if self._has_many_pictures():
                change = replace(change, visit=replace(change.visit, best_frame=None))
            self._add(change)

    def clip(self, clip: Clip) -> bool:
        """Queue a clip; return False, and drop it, while nothing can be stored or too many clips are waiting."""
        with self._changed:
            if self._problem is None and sum(isinstance(job, Clip) for job in self._jobs) < self._limits.max_clips:
                self._add(clip)
                return True
            return False

    def sample(self, sample: PictureSample) -> None:
        """Queue a picture of a time without a visit; it is dropped while too many pictures wait."""
        with self._changed:
            if not self._has_many_pictures():
                self._add(sample)

    def blind(self, blind: BlindTime) -> None:
        """Queue a blind time."""
        with self._changed:
            self._add(blind)

    def heartbeat(self, moment: Moment, bundle: str, frames: int) -> None:
        """Report the bundle that classifies and the number of its frames; cheap enough for every frame."""
        with self._changed:
            first = self._heartbeat is None
            self._heartbeat = _Heartbeat(moment, bundle, frames)
            if first:
                self._changed.notify()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after events were stored, from the recorder's thread; it must return at once."""
        self._listeners.append(listener)

    def health(self) -> RecorderHealth:
        """Return the state of the recorder."""
        with self._changed:
            problem = None if self._problem is None else self._problem[0]
            return RecorderHealth(len(self._jobs), self._stored, self._lost, self._pictures_dropped, problem)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Store the waiting events, close the store, and return True if everything was stored."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            if self._jobs:
                _log.error("%d events could not be stored before the end and are lost.", len(self._jobs))
            return not self._jobs and not self._lost and not self._thread.is_alive()

    def _has_many_pictures(self) -> bool:
        return sum(_picture_of(job) is not None for job in self._jobs) >= self._limits.max_pictures

    def _add(self, job: _Job) -> None:
        if len(self._jobs) >= self._limits.max_waiting:
            self._lost += 1
            return
        self._jobs.append(job)
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work, timeout=self._limits.heartbeat_s)
                closing = self._closing
            worked = self._work(closing)
            with self._changed:
                if closing and (not worked or not self._jobs):
                    break
                if not worked:
                    self._changed.wait_for(lambda: self._closing, timeout=self._retry_s())
        if self.store is not None:
            self.store.close()

    def _has_work(self) -> bool:
        return bool(self._jobs) or self._closing or self._watch_is_due(self._heartbeat)

    def _watch_is_due(self, heartbeat: _Heartbeat | None) -> bool:
        if heartbeat is None:
            return False
        other = self._watch is None or self._watch[1] != heartbeat.bundle
        return other or heartbeat.moment.monotonic_s >= self._watch_written_s + self._limits.heartbeat_s

    def _work(self, closing: bool, again: bool = True) -> bool:
        """Store all waiting events; return False if the disk does not allow it."""
        try:
            store = self.store = self.store or self._open_store()
            if store.damage is not None:  # found by a thread that only reads
                raise store.damage
            self._store_heartbeat(store, closing)
            while self._jobs:
                self._store_job(store, self._jobs[0])
                with self._changed:
                    self._stored += isinstance(self._jobs.popleft(), Visit | BlindTime)
            self._recover(store)
        except StoreCorruptError as error:
            _log.error("%s", error)
            if self.store is not None:
                self.store.close()
            self.store = self._watch = None  # reopening sets it aside and creates a new one
            return self._reopen() and again and self._work(closing, again=False)
        except Exception as error:  # the supervisor of storing: the camera continues after every error
            self._fail(error)
            return False
        for listener in self._listeners:
            listener()
        return True

    def _reopen(self) -> bool:
        try:
            self.store = self._open_store()
        except Exception as error:  # as in ``_work``
            self._fail(error)
        return self.store is not None

    def _store_job(self, store: EventStore, job: _Job) -> None:
        """Store one event; an invalid one must not block all others, so it loses its picture or is dropped."""
        try:
            if isinstance(job, BlindTime):
                store.add_blind_time(job)
            elif isinstance(job, VisitChange):
                store.add_change(job)
            elif isinstance(job, Clip):
                store.add_clip(job)
            elif isinstance(job, PictureSample):
                store.add_sample(job)
            else:
                store.add_visit(job)
        except (StoreUnavailableError, StoreCorruptError, OSError):  # of the disk: no event is to blame
            raise
        except Exception as error:  # the supervisor of storing: an error of one event ends with it
            _log.error("An event cannot be stored as it is (%s: %s): %r.", type(error).__name__, error, job)
            if isinstance(job, Visit) and job.best_frame is not None:
                self._store_job(store, replace(job, best_frame=None))
            else:
                self._lost += isinstance(job, Visit | BlindTime)

    def _store_heartbeat(self, store: EventStore, closing: bool) -> None:
        heartbeat = self._heartbeat
        if heartbeat is None or not (closing or self._watch_is_due(heartbeat)):
            return
        if self._watch is None or self._watch[1] != heartbeat.bundle:
            self._watch = (store.begin_watch(heartbeat.moment, heartbeat.bundle), heartbeat.bundle)
        store.extend_watch(self._watch[0], heartbeat.moment, heartbeat.frames)
        self._watch_written_s = heartbeat.moment.monotonic_s

    def _fail(self, error: Exception) -> None:
        reason = error.reason if isinstance(error, StoreUnavailableError) else "store not available"
        with self._changed:
            former = self._problem
            if former is not None and reason == LOCKED:
                reason = former[0]  # the worse problem, which is blind time
            started = self._now() if former is None else former[1]
            self._problem = (reason, started)
        if former is None or former[0] != reason:
            _log.error("%s The camera continues and tries again every %g s.", _message(error), self._retry_s())

    def _retry_s(self) -> float:
        """Return the time to the next attempt: a database that another program holds is usually free again soon."""
        locked = self._problem is not None and self._problem[0] == LOCKED
        return min(self._limits.retry_s, _LOCKED_RETRY_S) if locked else self._limits.retry_s

    def _recover(self, store: EventStore) -> None:
        lost, self._lost_before = self._lost > self._lost_before, self._lost
        if self._problem is None:
            return
        reason, started = self._problem
        # While another program held the database, the camera saw everything: only a lost event is blind time.
        if reason != LOCKED or lost:
            store.add_blind_time(BlindTime(reason, started, self._now()))
        with self._changed:
            self._problem = None
        _log.warning("Events are stored again; nothing was for a while: %s.", reason)


def _picture_of(job: _Job) -> "Image | KeptPicture | None":
    if isinstance(job, PictureSample):
        return job.picture
    visit = job.visit if isinstance(job, VisitChange) else job
    return visit.best_frame if isinstance(visit, Visit) else None


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, DeviceError) else f"The store failed ({type(error).__name__}: {error})."
