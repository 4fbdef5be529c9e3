"""What is retained over MQTT, as the store and the camera know it now."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from trailcam_core.errors import DeviceError
from trailcam_edge.store.queue.live_queue import LiveQueue
from trailcam_edge.store.records import EventRecord

T = TypeVar("T")


class CameraFacts(Protocol):
    """The state of one camera; every method may be called from any thread."""

    def open_labels(self) -> tuple[str, ...]:
        """Return the labels of the visits that are open."""

    def labels(self) -> tuple[str, ...]:
        """Return the labels that were ever seen."""

    def last_event(self, with_open: bool) -> EventRecord | None:
        """Return the newest event, None if there is none; ``with_open`` also of a visit that is open."""

    def status(self) -> dict[str, Any] | None:
        """Return the summary of the camera, None if there is none."""


class NoFacts:
    """A camera of which nothing is known."""

    def open_labels(self) -> tuple[str, ...]:
        """Return none."""
        return ()

    def labels(self) -> tuple[str, ...]:
        """Return none."""
        return ()

    def last_event(self, with_open: bool) -> EventRecord | None:
        """Return none."""

    def status(self) -> dict[str, Any] | None:
        """Return none."""


class StoreFacts:
    """The facts of a store; while it cannot be read, nothing is known.

    Args:
        queue: returns the queue of the store, None while there is none.
        status: returns the summary of the camera.
    """

    def __init__(self, queue: Callable[[], LiveQueue | None], status: Callable[[], dict[str, Any]]) -> None:
        self._queue = queue
        self._status = status

    def open_labels(self) -> tuple[str, ...]:
        """Return the labels of the visits that are open."""
        return self._ask(LiveQueue.open_labels, ())

    def labels(self) -> tuple[str, ...]:
        """Return the labels that were ever seen."""
        return self._ask(LiveQueue.labels, ())

    def last_event(self, with_open: bool) -> EventRecord | None:
        """Return the newest event, None if there is none; ``with_open`` also of a visit that is open."""
        return self._ask(lambda queue: queue.last_event(with_open), None)

    def status(self) -> dict[str, Any] | None:
        """Return the summary of the camera."""
        return self._status()

    def _ask(self, question: Callable[[LiveQueue], T], unknown: T) -> T:
        queue = self._queue()
        try:
            return unknown if queue is None else question(queue)
        except DeviceError:
            return unknown
