"""Take events from the store to one sink, in order, at least once each, for as long as it takes."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from trailcam_core.errors import DeviceError, TrailcamError
from trailcam_edge.store.records import EventRecord

__all__ = ["Delivery", "Sink", "SinkError", "SinkRejectedError", "SinkStatus", "Source", "retry_delay_s"]

_BATCH = 50
_IDLE_S = 60.0  # how long to sleep when nobody says that there is something new
_FIRST_DELAY_S = 1.0
_MAX_DELAY_S = 300.0
_JITTER = 0.25  # so that a fleet does not come back to its broker all at once
_MAX_SURPRISES = 5


class SinkError(TrailcamError):
    """An event could not be delivered now; it is tried again later."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SinkRejectedError(SinkError):
    """The other side will never take this event; it is skipped and counted."""


class Sink(Protocol):
    """Somewhere that events go. All methods are called from one thread."""

    @property
    def name(self) -> str:
        """What the store remembers this sink by: the same after a restart, other for another destination."""

    def deliver(self, event: EventRecord) -> None:
        """Deliver one event; when this returns the other side has it.

        Raises:
            SinkError: not now; the event comes again.
            SinkRejectedError: never.
        """

    def close(self) -> None:
        """Say goodbye; called once, also while nothing can be delivered."""


class Source(Protocol):
    """The part of the event store that deliveries need."""

    def events_after(self, event_id: int, limit: int) -> list[EventRecord]:
        """Return the next events."""

    def last_event_id(self) -> int:
        """Return the newest event's number."""

    def acknowledged(self, sink: str) -> int | None:
        """Return how far a sink came."""

    def acknowledge(self, sink: str, event_id: int) -> None:
        """Remember how far a sink came."""


@dataclass(frozen=True)
class SinkStatus:
    """How a delivery goes; ``error`` is None while it goes well."""

    name: str
    delivered: int
    rejected: int
    waiting: int
    error: str | None


def retry_delay_s(failures: int, jitter: float = 0.0) -> float:
    """Return how long to wait after so many failures in a row: doubling from 1 s to 5 minutes.

    Args:
        failures: 1 or more.
        jitter: in -1..1, moves the result by up to a quarter.
    """
    delay_s = min(_MAX_DELAY_S, _FIRST_DELAY_S * 2 ** min(failures - 1, 30))
    return float(delay_s * (1 + _JITTER * jitter))


class Delivery:
    """The thread of one sink."""

    def __init__(
        self,
        sink: Sink,
        source: Callable[[], Source | None],
        report: Callable[[str], None],
        backlog: bool = False,
        delay: Callable[[int, float], float] = retry_delay_s,
    ) -> None:
        """Start delivering.

        Args:
            sink: where to.
            source: gives the store, or None while there is none.
            report: told once when delivery fails, and once when it works again.
            backlog: deliver also what was stored before this sink was used for the first time.
            delay: the rule for waiting after failures.
        """
        self._sink = sink
        self._source = source
        self._report = report
        self._backlog = backlog
        self._delay = delay
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._delivered = self._rejected = self._waiting = self._failures = self._surprises = 0
        self._error: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"sink {sink.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there are new events; returns at once."""
        self._wake.set()

    def status(self) -> SinkStatus:
        """Return how delivery goes."""
        return SinkStatus(self._sink.name, self._delivered, self._rejected, self._waiting, self._error)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop; what was not delivered is in the store and comes after the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                more = self._deliver_batch()
            except (SinkError, DeviceError) as error:
                self._pause(str(error), getattr(error, "retry_after_s", 0.0))
            except Exception as error:  # the supervisor of a sink: a surprise must not end deliveries for good
                self._surprises += 1
                self._pause(f"{type(error).__name__}: {error}", 0.0)
            else:
                self._succeed()
                if not more:
                    self._wake.wait(_IDLE_S)
        self._sink.close()

    def _deliver_batch(self) -> bool:
        """Deliver some events and return whether there may be more."""
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
        if self._surprises >= _MAX_SURPRISES:
            self._surprises = 0
            self._reject(event, f"it failed {_MAX_SURPRISES} times in unforeseen ways")
            return
        try:
            self._sink.deliver(event)
        except SinkRejectedError as error:
            self._reject(event, str(error))
        else:
            self._delivered += 1
        self._surprises = 0

    def _reject(self, event: EventRecord, why: str) -> None:
        self._rejected += 1
        self._report(f"{self._sink.name}: visit {event.visit_id} is skipped: {why}")

    def _pause(self, error: str, retry_after_s: float) -> None:
        self._failures += 1
        if self._error is None:
            self._report(f"{self._sink.name}: {error} Events wait in the store.")
        self._error = error
        jitter = random.uniform(-1, 1)  # noqa: S311 - spreads a fleet, guards nothing
        delay_s = max(self._delay(self._failures, jitter), min(retry_after_s, _MAX_DELAY_S))
        self._stop.wait(delay_s)

    def _succeed(self) -> None:
        if self._error is not None:
            self._report(f"{self._sink.name}: works again.")
        self._failures = 0
        self._error = None
