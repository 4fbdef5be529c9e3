"""Events as HTTP POSTs of JSON."""

import json

from trailcam_edge.events import CLOSED, UPDATED
from trailcam_edge.sinks.http_post import HttpPost
from trailcam_edge.sinks.settings import WebhookSettings
from trailcam_edge.store.records import EventRecord, sink_json


class WebhookSink:
    """Post each event as JSON; a status of 200 to 299 with a complete response in time means delivered."""

    def __init__(self, settings: WebhookSettings, token: str | None = None) -> None:
        """Prepare requests; nothing is connected yet.

        Args:
            settings: address and time limit.
            token: sent as "Authorization: Bearer TOKEN".
        """
        self._post = HttpPost(settings.url, settings.timeout_s, token)

    @property
    def name(self) -> str:
        """The name of the sink, made of the address without its query."""
        return f"webhook {self._post.place}"

    def deliver(self, event: EventRecord) -> None:
        """Post one event.

        Raises:
            SinkError: no complete response in time, or a status that may change.
            SinkRejectedError: the server rejects this event permanently.
        """
        body = json.dumps(sink_json(event), ensure_ascii=False).encode("utf-8")
        self._post.send(body, {"Content-Type": "application/json", "Idempotency-Key": event_key(event)})

    def close(self) -> None:
        """Do nothing: no connection is kept open."""


def event_key(event: EventRecord) -> str:
    """Return the same text for an event that is sent twice: the visit, and which of its events."""
    if event.kind == UPDATED:
        return f"{event.visit_id}-{event.kind}-{event.frames}"
    return event.visit_id if event.kind == CLOSED else f"{event.visit_id}-{event.kind}"
