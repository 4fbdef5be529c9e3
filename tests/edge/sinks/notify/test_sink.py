"""Messages that arrive, wait, are filtered, and are sent once."""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np
import pytest

from trailcam_edge.events import Clip
from trailcam_edge.sinks.http_post import HttpPost
from trailcam_edge.sinks.notify.apprise_client import AppriseClient
from trailcam_edge.sinks.notify.settings import NotifySettings
from trailcam_edge.sinks.notify.sink import AppriseSender, FormSender, NotifySink
from trailcam_edge.sinks.worker import SinkWorker
from trailcam_edge.store.event_store import EventStore

from .conftest import Ntfy

Start = Callable[..., tuple[SinkWorker, NotifySink]]
SECRET = "s3cret-topic"


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.01)


@pytest.fixture
def start(store: EventStore, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a notification named "phone" and the thread that delivers it."""
    workers: list[SinkWorker] = []

    def start_one(delay_s: float = 0.02, **settings: Any) -> tuple[SinkWorker, NotifySink]:
        made = NotifySettings(**settings)
        sender: Any = AppriseSender(made, made.addresses, AppriseClient(made.timeout_s))
        if made.url is not None:
            sender = FormSender(made, HttpPost(made.url, made.timeout_s))
        sink = NotifySink("phone", made, sender, tmp_path / "store")
        options: Any = {"delay": lambda failures, jitter: delay_s, "backlog": True}
        workers.append(SinkWorker(sink, lambda: store, kinds=(made.only_when,), refresh=sink.refresh, **options))
        return workers[-1], sink

    yield start_one
    for worker in workers:
        worker.close()


def test_a_message_with_a_small_picture_arrives_at_ntfy(
    ntfy: Ntfy, start: Start, add: Callable[..., None], store: EventStore
) -> None:
    pytest.importorskip("apprise", reason="needs Apprise, the extra notify")
    label = 'рысь "🦊" \u202eאבג'
    add(1, label)
    worker, _ = start(addresses=(f"ntfy://{ntfy.place}/{SECRET}",), picture_px=320, camera="the oak")
    wait_until(lambda: bool(ntfy.got))
    wait_until(lambda: worker.status().delivered == 1)
    files = [body for _, _, body in ntfy.got if body.startswith(b"\xff\xd8")]
    (picture,) = files
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (180, 320, 3)
    assert len(picture) < 20_000
    assert any(SECRET in path or SECRET.encode() in body for path, _, body in ntfy.got)
    asked = {name: value for path, _, _ in ntfy.got for name, value in parse_qsl(urlsplit(path).query)}
    assert asked["title"] == label
    assert asked["message"].startswith(f"{label} at the oak, ")
    assert asked["message"].endswith(", 90%")
    assert "github.com" not in str(ntfy.got)
    assert SECRET not in worker.status().name


def test_an_address_that_refuses_keeps_the_message_until_it_works_and_another_gets_it_once(
    start: Start, add: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("apprise", reason="needs Apprise, the extra notify")
    caplog.set_level(logging.DEBUG)
    good, bad = Ntfy(), Ntfy()
    bad.status = 403
    add(1)
    worker, _ = start(addresses=(f"ntfy://{good.place}/a", f"ntfy://user:{SECRET}@{bad.place}/{SECRET}"), picture_px=0)
    wait_until(lambda: worker.status().error is not None)
    error = worker.status().error
    assert error is not None
    assert "address 2 of 2" in error
    assert worker.status().waiting == 1
    bad.status = 200
    wait_until(lambda: worker.status().delivered == 1)
    assert (len(good.got), len(bad.got)) == (1, 1)
    assert SECRET not in caplog.text + error
    for server in (good, bad):
        server.shutdown()
        server.server_close()


def test_a_server_that_drips_is_left_after_the_time_limit(
    dripping: str, start: Start, add: Callable[..., None]
) -> None:
    pytest.importorskip("apprise", reason="needs Apprise, the extra notify")
    add(1)
    worker, _ = start(addresses=(f"ntfy://{dripping}/t?rto=60",), timeout_s=1.0, delay_s=30.0, picture_px=0)
    wait_until(lambda: worker.status().error is not None)
    assert "no answer within" in str(worker.status().error)
    before_s = time.monotonic()
    worker.close()
    assert time.monotonic() - before_s < 5.0


def test_an_address_that_apprise_does_not_know_is_reported_at_the_start(start: Start) -> None:
    pytest.importorskip("apprise", reason="needs Apprise, the extra notify")
    worker, _ = start(addresses=("ntfy://127.0.0.1/t", f"carrierpigeon://{SECRET}"), delay_s=30.0)
    wait_until(lambda: worker.status().error is not None)
    assert worker.status().error == "address 2 of 2 is of no service that Apprise knows."


def test_quiet_times_hold_over_a_restart_and_the_queue_is_emptied(
    ntfy: Ntfy, start: Start, add: Callable[..., None], store: EventStore
) -> None:
    options = {"url": f"http://{ntfy.place}/hook", "quiet_min": 10.0, "picture_px": 0}
    add(1)
    add(2)
    add(3, "wolf")
    worker, _ = start(**options)
    wait_until(lambda: worker.status().delivered == 3)
    worker.close()
    add(4)
    add(700)
    again, _ = start(**options)
    wait_until(lambda: again.status().delivered == 2)
    again.close()
    texts = [re.findall(rb'"visit_id": "(v\d+)"', body)[0].decode() for _, _, body in ntfy.got]
    assert texts == ["v1", "v3", "v700"]
    assert json.loads(store.queue.memory("notify phone"))["wolf"][1] == 3.0


def test_a_form_has_the_event_and_the_picture(ntfy: Ntfy, start: Start, add: Callable[..., None]) -> None:
    add(1, 'a "b" \r\n')
    start(url=f"http://{ntfy.place}/hook", picture_px=100)
    wait_until(lambda: bool(ntfy.got))
    _, headers, body = ntfy.got[0]
    form = BytesParser().parsebytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in form.get_payload()  # type: ignore[union-attr]
    }
    assert set(parts) == {"title", "text", "event", "picture"}
    assert json.loads(parts["event"])["label"] == 'a "b" \r\n'  # type: ignore[arg-type]
    assert parts["picture"].startswith(b"\xff\xd8")  # type: ignore[union-attr]
    assert headers["Idempotency-Key"] == "v1-opened"


@pytest.mark.parametrize(("clip_mb", "is_sent"), [(0.002, True), (0.0019, False), (0.0, False)])
def test_a_form_has_the_clip_if_it_is_asked_for_and_small_enough(
    ntfy: Ntfy, start: Start, add: Callable[..., None], store: EventStore, clip_mb: float, is_sent: bool
) -> None:
    add(1)
    store.add_clip(Clip("v1", b"\0\0\0\x18ftyp" + bytes(1992), -5.0, 12.0))
    add(1, kind="closed")
    start(url=f"http://{ntfy.place}/hook", picture_px=0, only_when="closed", clip_mb=clip_mb)
    wait_until(lambda: bool(ntfy.got))
    _, headers, body = ntfy.got[0]
    form = BytesParser().parsebytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
    assert ("clip" in parts) is is_sent
    if is_sent:
        clip: Any = parts["clip"]
        assert (clip.get_content_type(), clip.get_filename()) == ("video/mp4", "visit.mp4")
        assert len(clip.get_payload(decode=True)) == 2000


@pytest.mark.parametrize("body", ["multipart", "json"])
def test_a_server_to_which_the_clip_is_too_large_gets_the_message_without_it(
    ntfy: Ntfy, start: Start, add: Callable[..., None], store: EventStore, body: str
) -> None:
    ntfy.max_bytes = 3000
    add(1)
    store.add_clip(Clip("v1", b"\0\0\0\x18ftyp" + bytes(1_200_000), -5.0, 12.0))
    add(1, kind="closed")
    template = '{"event": "{visit_id}", "clip": "{clip_base64}"}' if body == "json" else ""
    worker, _ = start(
        url=f"http://{ntfy.place}/hook", body=body, template=template, only_when="closed", clip_mb=3.0, picture_px=0
    )
    wait_until(lambda: worker.status().delivered == 1)
    assert worker.status().rejected == 0
    assert len(ntfy.got) == 1
    assert b"v1" in ntfy.got[0][2]


def test_a_service_of_apprise_to_which_the_clip_is_too_large_gets_the_message_without_it(
    ntfy: Ntfy, start: Start, add: Callable[..., None], store: EventStore
) -> None:
    pytest.importorskip("apprise", reason="needs Apprise, the extra notify")
    ntfy.max_bytes = 3000
    add(1)
    store.add_clip(Clip("v1", b"\0\0\0\x18ftyp" + bytes(10_000), -5.0, 12.0))
    add(1, kind="closed")
    worker, _ = start(addresses=(f"ntfy://{ntfy.place}/t",), picture_px=0, only_when="closed", clip_mb=3)
    wait_until(lambda: worker.status().delivered == 1)
    assert len(ntfy.got) == 1
    assert b"lynx" in ntfy.got[0][2]


def test_a_server_to_which_the_text_is_too_large_costs_one_message(
    ntfy: Ntfy, start: Start, add: Callable[..., None]
) -> None:
    ntfy.max_bytes = 10
    add(1)
    worker, _ = start(url=f"http://{ntfy.place}/hook")
    wait_until(lambda: worker.status().rejected == 1)
    assert worker.status().delivered == 0


def test_apprise_attaches_the_clip(ntfy: Ntfy, start: Start, add: Callable[..., None], store: EventStore) -> None:
    pytest.importorskip("apprise", reason="needs Apprise, the extra notify")
    add(1)
    store.add_clip(Clip("v1", b"\0\0\0\x18ftyp" + bytes(1992), -5.0, 12.0))
    add(1, kind="closed")
    worker, _ = start(addresses=(f"ntfy://{ntfy.place}/t",), picture_px=0, only_when="closed", clip_mb=3)
    wait_until(lambda: worker.status().delivered == 1)
    assert [len(body) for path, _, body in ntfy.got if "visit.mp4" in path] == [2000]


def test_a_json_service_gets_its_own_form(ntfy: Ntfy, start: Start, add: Callable[..., None]) -> None:
    add(1, "Lüchs")
    template = '{"animal": "{label}", "p": "{confidence}", "picture": "{picture_base64}"}'
    start(url=f"http://{ntfy.place}/hook", body="json", template=template, picture_px=0, only_when="opened")
    wait_until(lambda: bool(ntfy.got))
    assert json.loads(ntfy.got[0][2]) == {"animal": "Lüchs", "p": 0.9, "picture": None}


def test_a_picture_that_is_gone_or_damaged_is_left_out(
    ntfy: Ntfy, start: Start, add: Callable[..., None], tmp_path: Path
) -> None:
    add(1)
    add(2, "wolf")
    (tmp_path / "store" / "pictures" / "v1.jpg").unlink()
    (tmp_path / "store" / "pictures" / "v2.jpg").write_bytes(b"no picture")
    start(url=f"http://{ntfy.place}/hook")
    wait_until(lambda: len(ntfy.got) == 2)
    assert all(b'name="picture"' not in body for _, _, body in ntfy.got)


def test_a_message_that_could_not_be_sent_for_too_long_is_dropped_and_counted(
    ntfy: Ntfy, start: Start, store: EventStore, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(1)
    real = time.time
    monkeypatch.setattr("trailcam_edge.sinks.notify.sink.time.time", lambda: real() + 3 * 60)
    worker, _ = start(url=f"http://{ntfy.place}/hook", late_min=2.0)
    wait_until(lambda: worker.status().rejected == 1)
    assert ntfy.got == []


def test_a_hook_that_hangs_ends_with_its_time_limit(ntfy: Ntfy, start: Start, add: Callable[..., None]) -> None:
    ntfy.hang_s = 30.0
    add(1)
    worker, _ = start(url=f"http://{ntfy.place}/hook", timeout_s=0.3, delay_s=30.0)
    wait_until(lambda: worker.status().error is not None)
    assert "no complete response in time" in str(worker.status().error)
    assert threading.active_count() < 20
