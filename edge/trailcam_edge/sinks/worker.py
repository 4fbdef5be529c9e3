"""Deliver events from the store to one sink: in order, at least once, with unlimited retries."""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from trailcam_core.errors import DeviceError, TrailcamError
from trailcam_core.network.secrets import mask_text, mask_webhook
from trailcam_edge.store.records import EventRecord

_log = logging.getLogger(__name__)
_BATCH = 50
_IDLE_S = 60.0  # maximum sleep without a wake-up
_FIRST_DELAY_S = 1.0
_MAX_DELAY_S = 300.0
_JITTER = 0.25  # spreads the reconnections of a fleet over time
_MAX_UNEXPECTED = 5


class SinkError(TrailcamError):
    """An event could not be delivered now; it is retried later."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SinkRejectedError(SinkError):
    """The destination rejects this event permanently; it is skipped and counted."""


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


class EventSource(Protocol):
    """The part of the event store that a sink worker needs."""

    def events_after(self, event_id: int, limit: int) -> list[EventRecord]:
        """Return the next events."""

    def last_event_id(self) -> int:
        """Return the newest event's number."""

    def acknowledged(self, sink: str) -> int | None:
        """Return the last event delivered to a sink, None if there is none."""

    def acknowledge(self, sink: str, event_id: int) -> None:
        """Record the last event delivered to a sink."""


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
    ) -> None:
        """Start delivering.

        Args:
            sink: the destination.
            source: returns the store, or None while there is none.
            backlog: also deliver events that were stored before this sink was used for the first time.
            delay: the retry rule.
        """
        self._sink = sink
        self._shown = mask_webhook(sink.name)
        self._source = source
        self._backlog = backlog
        self._delay = delay
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

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop; undelivered events stay in the store for the next start."""
        self._stop.set()
        self._wake.set()
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
                    self._wake.wait(_IDLE_S)
        self._sink.close()

    def _deliver_batch(self) -> bool:
        """Deliver a batch of events; return True if there may be more."""
        source = self._source()
        if source is None:
            return False
        newest = source.last_event_id()
        done = source.acknowledged(self._sink.name)
        if done is None:
            done = 0 if self._backlog else newest
            source.acknowledge(self._sink.name, done)
        self._waiting = max(0, newest - done)
        events = source.events_after(done, _BATCH)
        reached = done
        try:
            for event in events:
                if self._stop.is_set():
                    break
                self._deliver(event)
                reached = event.event_id
                self._waiting = max(0, newest - reached)
        finally:
            if reached != done:
                source.acknowledge(self._sink.name, reached)
        return bool(events)

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
