"""Deliver messages: filter, fill in, send to each destination once."""

import base64
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from trailcam_edge.events import OPENED
from trailcam_edge.sinks.filters import Memory, is_quiet, read_memory
from trailcam_edge.sinks.http_post import HttpPost
from trailcam_edge.sinks.notify.apprise_client import AppriseClient
from trailcam_edge.sinks.notify.message import CLIP, PICTURE, fill, fill_json, values_of
from trailcam_edge.sinks.notify.picture import Attachments, small_clip, small_picture
from trailcam_edge.sinks.notify.settings import JSON, NotifySettings
from trailcam_edge.sinks.webhook import event_key
from trailcam_edge.sinks.worker import BodyTooLargeError, SinkError, SinkRejectedError
from trailcam_edge.store.records import EventRecord, sink_json

_log = logging.getLogger(__name__)
_EXPECT_S = 10.0  # between two preparations


class Sender(Protocol):
    """One kind of destination."""

    def send(self, event: EventRecord, files: Attachments) -> None:
        """Send a message.

        Raises:
            SinkError: not sent now.
            SinkRejectedError: rejected permanently.
        """

    def expect(self) -> bool:
        """Get ready at the next ``refresh``, as a message is likely; return False if there is nothing to do.

        Any thread may call it; it returns at once.
        """

    def refresh(self) -> None:
        """Check the destination at the start, get ready, and release what is idle.

        Raises:
            SinkError: the destination cannot be used.
        """

    def close(self) -> None:
        """Release everything."""


class NotifySink:
    """One section ``[notify.NAME]``.

    Args:
        name: of the section.
        settings: filter and message.
        sender: of the destination.
        store_folder: the folder with the pictures.
    """

    def __init__(self, name: str, settings: NotifySettings, sender: Sender, store_folder: Path) -> None:
        self._name = name
        self._settings = settings
        self._sender = sender
        self._store_folder = store_folder
        self._memory = Memory()
        self._expected_s = float("-inf")

    @property
    def name(self) -> str:
        """The name of the sink: that of the section, as its addresses are secrets."""
        return f"notify {self._name}"

    @property
    def memory(self) -> str:
        """The last message of each label."""
        return self._memory.to_text()

    def recall(self, memory: str) -> None:
        """Take the messages of an earlier process into account."""
        self._memory = read_memory(memory)

    def deliver(self, event: EventRecord) -> None:
        """Send a message, if the event passes the filter.

        Raises:
            SinkError: not sent now; it is retried.
            SinkRejectedError: rejected permanently, or too late.
        """
        settings = self._settings
        if not settings.takes(event):
            return
        if is_quiet(event, self._memory, settings.quiet_min, settings.first_of_day, None):
            return
        ended_s = event.ended.unix_s if event.ended.known else None
        if ended_s is not None and time.time() - ended_s > settings.late_min * 60:
            raise SinkRejectedError(f"it could not be sent for {settings.late_min:g} min.")
        picture = clip = None
        if settings.picture_px and event.picture is not None:
            path = self._store_folder / event.picture
            picture = small_picture(path, settings.picture_px, settings.picture_quality)
        if settings.clip_mb and event.clip is not None:
            clip = small_clip(self._store_folder / event.clip, settings.clip_mb * 1e6)
        self._sender.send(event, Attachments(picture, clip))
        self._memory = self._memory.add(event)

    def expect(self, label: str) -> bool:
        """Get ready, as an animal was recognised and its visit may open; return True if ``refresh`` is to be called.

        The loop calls it; it returns at once.
        """
        settings, now_s = self._settings, time.monotonic()
        if settings.only_when != OPENED or (settings.labels and label not in settings.labels):
            return False
        if now_s < self._expected_s + _EXPECT_S:
            return False
        self._expected_s = now_s
        return self._sender.expect()

    def refresh(self) -> None:
        """Check the destination at the start, get ready, and release what is idle."""
        self._sender.refresh()

    def close(self) -> None:
        """Release everything."""
        self._sender.close()


class AppriseSender:
    """Addresses of Apprise; each gets a message once, also if another one fails.

    Args:
        settings: of the message.
        addresses: secrets.
        client: sends.
    """

    def __init__(self, settings: NotifySettings, addresses: tuple[str, ...], client: AppriseClient) -> None:
        self._settings = settings
        self._addresses = addresses
        self._client = client
        self._pending: tuple[str, set[int]] = ("", set())
        self._checked = False
        self._expects = False

    def expect(self) -> bool:
        """Let ``refresh`` load Apprise."""
        self._expects = True
        return True

    def send(self, event: EventRecord, files: Attachments) -> None:
        """Send a message to every address that has not got it yet.

        Raises:
            SinkError: an address has not got it.
        """
        key = event_key(event)
        if self._pending[0] != key:
            self._pending = (key, set())
        values = values_of(event, self._settings.camera)
        title, body = fill(self._settings.title, values), fill(self._settings.text, values)
        problems = []
        for position, address in enumerate(self._addresses):
            if position in self._pending[1]:
                continue
            try:
                _send_small_if_refused(files, partial(self._client.send, address, title, body))
            except SinkError as error:
                problems.append(f"address {position + 1} of {len(self._addresses)}: {error}")
            else:
                self._pending[1].add(position)
        if problems:
            raise SinkError(" ".join(problems))

    def refresh(self) -> None:
        """Check the addresses once; load Apprise if a message is likely, and end its process when it is idle.

        Raises:
            SinkError: Apprise does not know an address.
        """
        if self._checked:
            if self._expects:
                self._expects = False
                self._client.load()
            self._client.end_idle()
            return
        for position, address in enumerate(self._addresses, start=1):
            if not self._client.is_known(address):
                raise SinkError(f"address {position} of {len(self._addresses)} is of no service that Apprise knows.")
        self._checked = True

    def close(self) -> None:
        """End the process."""
        self._client.close()


class FormSender:
    """A web service that takes a multipart form, or JSON of a template.

    Args:
        settings: of the message.
        post: sends.
    """

    def __init__(self, settings: NotifySettings, post: HttpPost) -> None:
        self._settings = settings
        self._post = post

    def send(self, event: EventRecord, files: Attachments) -> None:
        """Post the message; a server to which it is too large gets it without picture and clip.

        Raises:
            SinkError: no complete response in time, or a status that may change.
            SinkRejectedError: rejected permanently.
        """
        _send_small_if_refused(files, lambda sent: self._send(event, sent))

    def _send(self, event: EventRecord, files: Attachments) -> None:
        values = values_of(event, self._settings.camera)
        headers = {"Idempotency-Key": event_key(event)}
        if self._settings.body == JSON:
            body = fill_json(
                self._settings.template, values | {PICTURE: _base64(files.picture), CLIP: _base64(files.clip)}
            )
            self._post.send(body, headers | {"Content-Type": "application/json"})
            return
        fields = {
            "title": fill(self._settings.title, values),
            "text": fill(self._settings.text, values),
            "event": json.dumps(sink_json(event), ensure_ascii=False),
        }
        boundary = uuid4().hex
        body = multipart(fields, files, boundary)
        self._post.send(body, headers | {"Content-Type": f"multipart/form-data; boundary={boundary}"})

    def expect(self) -> bool:
        """Return False: there is nothing to load."""
        return False

    def refresh(self) -> None:
        """Do nothing: an address is checked by the first message."""

    def close(self) -> None:
        """Do nothing: no connection is kept open."""


def _send_small_if_refused(files: Attachments, send: Callable[[Attachments], None]) -> None:
    """Send a message; a destination to which it is too large gets it without picture and clip."""
    try:
        send(files)
    except BodyTooLargeError as error:
        if files == Attachments():
            raise
        _log.warning("%s The message is sent without picture and clip.", error)
        send(Attachments())


def multipart(fields: dict[str, str], files: Attachments, boundary: str) -> bytes:
    """Return a form with text fields and the files ``picture`` and ``clip``, as RFC 7578 has it."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    for name, file, kind, content in (
        ("picture", "visit.jpg", "image/jpeg", files.picture),
        ("clip", "visit.mp4", "video/mp4", files.clip),
    ):
        if content is not None:
            head = f'Content-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: {kind}'
            parts.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode("ascii")
