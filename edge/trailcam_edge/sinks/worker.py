"""Deliver events from the store to one sink: in order, at least once, with unlimited retries."""

import logging
import random
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from trailcam_core.errors import DeviceError, TrailcamError
from trailcam_core.network.secrets import mask_text, mask_webhook
from trailcam_edge.events import CLOSED
from trailcam_edge.store.queue.live_queue import Cursor
from trailcam_edge.store.records import EventRecord

_log = logging.getLogger(__name__)
_BATCH = 50
_IDLE_S = 60.0  # maximum sleep without a wake-up
_REFRESH_S = 10.0  # the same for a sink that refreshes
_FIRST_DELAY_S = 1.0
_MAX_DELAY_S = 300.0
_JITTER = 0.25  # spreads the reconnections of a fleet over time
_MAX_UNEXPECTED = 5
_NOTE_S = 2.0  # at most this long, or one event, is delivered again after a power cut


class SinkError(TrailcamError):
    """An event could not be delivered now; it is retried later."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SinkRejectedError(SinkError):
    """The destination rejects this event permanently; it is skipped and counted."""


class BodyTooLargeError(SinkRejectedError):
    """The destination does not take a body of this size."""


class Sink(Protocol):
    """A destination of events. All methods are called from one thread."""

    @property
    def name(self) -> str:
        """The key of this sink in the store: the same after a restart, different for another destination."""

    def deliver(self, event: EventRecord) -> None:
        """Deliver one event; it has arrived when this returns.

        Raises:
            SinkError: not delivered now; the event is retried.
            SinkRejectedError: rejected permanently.
        """

    def close(self) -> None:
        """Close the sink. Called once, even if the destination is unreachable."""


class RememberingSink(Sink, Protocol):
    """A sink with filters that remember what was sent; the store keeps that with the progress of the sink."""

    @property
    def memory(self) -> str:
        """What is to be remembered, a short text."""

    def recall(self, memory: str) -> None:
        """Remember what an earlier process has stored; called before the first event."""


class Queue(Protocol):
    """The part of the store's queue that a sink worker needs: see ``LiveQueue``."""

    def newest(self) -> Cursor:
        """Return the cursor after everything that is stored."""

    def cursor(self, sink: str) -> Cursor | None:
        """Return the cursor of a sink, None for a new one."""

    def memory(self, sink: str) -> str:
        """Return what a sink remembers."""

    def after(self, cursor: Cursor, kinds: Collection[str], limit: int) -> list[tuple[Cursor, EventRecord]]:
        """Return the next events, each with the cursor that follows it."""

    def move(self, sink: str, cursor: Cursor, memory: str = "") -> None:
        """Record that a sink has taken everything up to a cursor."""


class EventSource(Protocol):
    """The part of the event store that a sink worker needs."""

    @property
    def queue(self) -> Queue:
        """The queue of the sinks."""


@dataclass(frozen=True)
class SinkStatus:
    """State of a delivery; ``error`` is None while it works."""

    name: str
    delivered: int
    rejected: int
    waiting: int
    error: str | None


def retry_delay_s(failures: int, jitter: float = 0.0) -> float:
    """Return the delay after a number of consecutive failures: doubling from 1 s to 5 minutes.

    Args:
        failures: 1 or more.
        jitter: in -1..1, moves the result by up to a quarter.
    """
    delay_s = min(_MAX_DELAY_S, _FIRST_DELAY_S * 2 ** min(failures - 1, 30))
    return float(delay_s * (1 + _JITTER * jitter))


class SinkWorker:
    """The thread of one sink."""

    def __init__(
        self,
        sink: Sink,
        source: Callable[[], EventSource | None],
        backlog: bool = False,
        delay: Callable[[int, float], float] = retry_delay_s,
        kinds: Collection[str] = (CLOSED,),
        refresh: Callable[[], None] | None = None,
    ) -> None:
        """Start delivering.

        Args:
            sink: the destination.
            source: returns the store, or None while there is none.
            backlog: also deliver events that were stored before this sink was used for the first time.
            delay: the retry rule.
            kinds: of events: "opened", "updated", "closed".
            refresh: called after deliveries, and every now and then without one; what it raises is a failure of the
                sink.
        """
        self._sink = sink
        self._shown = mask_webhook(sink.name)
        self._source = source
        self._backlog = backlog
        self._delay = delay
        self._kinds = frozenset(kinds)
        self._refresh = refresh
        self._recalled = False
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._delivered = self._rejected = self._waiting = self._failures = self._unexpected = 0
        self._error: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"sink {self._shown}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Signal that there are new events; returns at once."""
        self._wake.set()

    def status(self) -> SinkStatus:
        """Return the state of the delivery."""
        return SinkStatus(self._shown, self._delivered, self._rejected, self._waiting, self._error)

    def stop(self) -> None:
        """Ask the thread to end; returns at once."""
        self._stop.set()
        self._wake.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop; undelivered events stay in the store for the next start."""
        self.stop()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                more = self._deliver_batch()
            except (SinkError, DeviceError) as error:
                self._pause(mask_text(str(error)), getattr(error, "retry_after_s", 0.0))
            except Exception as error:  # the supervisor of a sink: an unexpected error must not end the thread
                self._unexpected += 1
                self._pause(mask_text(f"{type(error).__name__}: {error}"), 0.0)
            else:
                self._succeed()
                if not more:
                    self._wake.wait(_IDLE_S if self._refresh is None else _REFRESH_S)
        self._sink.close()

    def _deliver_batch(self) -> bool:
        """Deliver a batch of events; return True if there may be more."""
        source = self._source()
        if source is None:
            return False
        queue = source.queue
        newest = queue.newest()
        done = self._begin(queue, newest)
        self._count_waiting(newest, done)
        events = queue.after(done, self._kinds, _BATCH)
        reached = noted = done
        noted_s = time.monotonic()
        try:
            for cursor, event in events:
                if self._stop.is_set():
                    break
                self._deliver(event)
                reached = cursor
                self._count_waiting(newest, reached)
                if time.monotonic() >= noted_s + _NOTE_S:
                    # Else a camera that loses its power before the end of every batch delivers the same events again.
                    self._note(queue, reached)
                    noted, noted_s = reached, time.monotonic()
        finally:
            if reached != noted:
                self._note(queue, reached)
        if self._refresh is not None:
            self._refresh()
        return bool(events)

    def _begin(self, queue: Queue, newest: Cursor) -> Cursor:
        """Return the cursor of the sink; where it takes no events of a queue, that of the newest."""
        done = queue.cursor(self._sink.name)
        if not self._recalled and hasattr(self._sink, "recall"):
            self._sink.recall(queue.memory(self._sink.name))
        self._recalled = True
        if done is None:
            done = Cursor(0, 0) if self._backlog else newest
            self._note(queue, done)
        return Cursor(
            done.event_id if CLOSED in self._kinds else newest.event_id,
            done.live_id if self._kinds - {CLOSED} else newest.live_id,
        )

    def _note(self, queue: Queue, cursor: Cursor) -> None:
        queue.move(self._sink.name, cursor, getattr(self._sink, "memory", ""))

    def _count_waiting(self, newest: Cursor, done: Cursor) -> None:
        self._waiting = max(0, newest.event_id - done.event_id) + max(0, newest.live_id - done.live_id)

    def _deliver(self, event: EventRecord) -> None:
        if self._unexpected >= _MAX_UNEXPECTED:
            self._unexpected = 0
            self._reject(event, f"it failed {_MAX_UNEXPECTED} times with unexpected errors")
            return
        try:
            self._sink.deliver(event)
        except SinkRejectedError as error:
            self._reject(event, str(error))
        else:
            self._delivered += 1
        self._unexpected = 0

    def _reject(self, event: EventRecord, why: str) -> None:
        self._rejected += 1
        _log.error("%s: visit %s is skipped: %s", self._shown, event.visit_id, why)

    def _pause(self, error: str, retry_after_s: float) -> None:
        self._failures += 1
        if self._error is None:
            _log.warning("%s: %s Events wait in the store.", self._shown, error)
        self._error = error
        jitter = random.uniform(-1, 1)  # noqa: S311 - spreads a fleet, guards nothing
        delay_s = max(self._delay(self._failures, jitter), min(retry_after_s, _MAX_DELAY_S))
        self._stop.wait(delay_s)

    def _succeed(self) -> None:
        if self._error is not None:
            _log.info("%s: works again.", self._shown)
        self._failures = 0
        self._error = None
