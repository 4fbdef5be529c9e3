"""Deliveries: in order, at least once, for as long as it takes, and nobody waits for them."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.errors import DeviceError
from trailcam_edge.sinks.worker import SinkError, SinkRejectedError, SinkWorker, retry_delay_s
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.records import EventRecord

from .conftest import wait_until

Deliver = Callable[..., SinkWorker]
Add = Callable[..., None]


class ListSink:
    """Keeps what it gets; can be told to misbehave."""

    def __init__(self, name: str = "list") -> None:
        self.name = name
        self.got: list[str] = []
        self.trouble: Callable[[EventRecord], None] = lambda event: None
        self.closed = False

    def deliver(self, event: EventRecord) -> None:
        self.trouble(event)
        self.got.append(event.visit_id)

    def close(self) -> None:
        self.closed = True


def _names(*numbers: int) -> list[str]:
    return [f"visit-{number}" for number in numbers]


def test_events_come_in_order_and_are_remembered(deliver: Deliver, add: Add, store: EventStore) -> None:
    add(range(120))
    sink = ListSink()
    deliver(sink)
    wait_until(lambda: store.acknowledged("list") == 120)
    assert sink.got == _names(*range(120))


def test_after_a_restart_it_goes_on_where_it_was(deliver: Deliver, add: Add, store: EventStore) -> None:
    add(range(3))
    deliver(ListSink()).close()
    store.acknowledge("list", 2)
    sink = ListSink()
    add(range(3, 5))
    deliver(sink)
    wait_until(lambda: store.acknowledged("list") == 5)
    assert sink.got == _names(2, 3, 4)


def test_a_power_cut_within_a_batch_costs_little_of_it(
    deliver: Deliver, add: Add, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera that wakes for a minute and loses its power again must not deliver the same events every time."""
    monkeypatch.setattr(f"{SinkWorker.__module__}._NOTE_S", 0.0)
    add(range(10))
    sink, hang = ListSink(), threading.Event()
    sink.trouble = lambda event: hang.wait(60) if event.visit_id == "visit-7" else None
    deliver(sink)
    wait_until(lambda: len(sink.got) == 7)
    wait_until(lambda: store.acknowledged("list") == 7)
    hang.set()
    wait_until(lambda: store.acknowledged("list") == 10)
    assert sink.got == _names(*range(10))


def test_a_new_sink_begins_with_now_unless_told_otherwise(deliver: Deliver, add: Add, store: EventStore) -> None:
    add(range(3))
    sink = ListSink()
    delivery = deliver(sink, backlog=False)
    wait_until(lambda: store.acknowledged("list") == 3)
    add(range(3, 4))
    delivery.wake()
    wait_until(lambda: store.acknowledged("list") == 4)
    assert sink.got == _names(3)


def test_an_outage_is_waited_out_without_loss_and_logged_once(
    deliver: Deliver, add: Add, store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sink = ListSink()
    down = threading.Event()
    down.set()

    def fail(event: EventRecord) -> None:
        if down.is_set():
            raise SinkError("the broker is down.")

    sink.trouble = fail
    delivery = deliver(sink)
    add(range(5))
    delivery.wake()
    wait_until(lambda: delivery.status().waiting == 5)
    assert delivery.status().error == "the broker is down."
    down.clear()
    wait_until(lambda: store.acknowledged("list") == 5)
    wait_until(lambda: len(caplog.messages) == 2)
    assert sink.got == _names(*range(5))
    assert caplog.messages == ["list: the broker is down. Events wait in the store.", "list: works again."]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert delivery.status().error is None


def test_an_event_that_is_refused_is_skipped_and_counted(deliver: Deliver, add: Add, store: EventStore) -> None:
    sink = ListSink()

    def refuse(event: EventRecord) -> None:
        if event.visit_id == "visit-1":
            raise SinkRejectedError("answered 422.")

    sink.trouble = refuse
    add(range(3))
    delivery = deliver(sink)
    wait_until(lambda: store.acknowledged("list") == 3)
    assert sink.got == _names(0, 2)
    assert delivery.status().rejected == 1


def test_a_surprise_is_tried_again_and_then_skipped(deliver: Deliver, add: Add, store: EventStore) -> None:
    sink = ListSink()
    tries: list[int] = []

    def surprise(event: EventRecord) -> None:
        if event.visit_id == "visit-1":
            tries.append(1)
            raise KeyError("nobody thought of that")

    sink.trouble = surprise
    add(range(3))
    delivery = deliver(sink)
    wait_until(lambda: store.acknowledged("list") == 3)
    assert len(tries) == 5
    assert sink.got == _names(0, 2)
    assert delivery.status().rejected == 1


def test_a_sink_that_hangs_holds_up_nobody_else(deliver: Deliver, add: Add, store: EventStore) -> None:
    hang = threading.Event()
    slow, quick = ListSink("slow"), ListSink("quick")
    slow.trouble = lambda event: hang.wait(20) and None
    add(range(5))
    deliver(slow)
    deliver(quick)
    wait_until(lambda: store.acknowledged("quick") == 5)
    add(range(5, 8))  # would hang here if a sink could hold up the store
    assert store.last_event_id() == 8
    assert slow.got == []
    hang.set()


def test_without_a_store_it_waits(tmp_path: Path) -> None:
    sink = ListSink()
    delivery = SinkWorker(sink, lambda: None)
    delivery.close()
    assert sink.closed
    assert delivery.status().error is None


def test_a_store_that_cannot_be_read_is_an_outage_too() -> None:
    sink = ListSink()

    def broken() -> None:
        raise DeviceError("the disk is failing.")

    delivery = SinkWorker(sink, broken, delay=lambda failures, jitter: 0.01)
    wait_until(lambda: delivery.status().error == "the disk is failing.")
    delivery.close()


@pytest.mark.parametrize(
    ("failures", "expected_s"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (11, 300), (10_000, 300)]
)
def test_waiting_doubles_up_to_five_minutes_give_or_take_a_quarter(failures: int, expected_s: float) -> None:
    assert retry_delay_s(failures) == expected_s
    assert retry_delay_s(failures, 1.0) == 1.25 * expected_s
    assert retry_delay_s(failures, -1.0) == 0.75 * expected_s


def test_a_destination_cannot_ask_for_more_patience_than_the_longest_wait(
    deliver: Deliver, add: Add, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{SinkWorker.__module__}._MAX_DELAY_S", 0.05)
    sink = ListSink()
    tries: list[int] = []

    def busy(event: EventRecord) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise SinkError("too many requests.", retry_after_s=86_400)

    sink.trouble = busy
    add(range(1))
    deliver(sink)
    wait_until(lambda: store.acknowledged("list") == 1)
    assert len(tries) == 3


@given(st.integers(1, 10_000), st.floats(-1, 1))
def test_waiting_grows_to_five_minutes_and_no_further(failures: int, jitter: float) -> None:
    assert 0.75 <= retry_delay_s(failures, jitter) <= 375
    assert retry_delay_s(failures) <= retry_delay_s(failures + 1)
    assert retry_delay_s(1) == 1
