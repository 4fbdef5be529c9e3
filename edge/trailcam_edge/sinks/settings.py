"""Settings of the sinks: files, MQTT, webhooks."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from trailcam_core.network.hosts import is_host, is_ip
from trailcam_core.records import Choice, FieldError, Pattern, Range, check_ranges, shown
from trailcam_edge.events import CLOSED, OPENED, UPDATED
from trailcam_edge.sinks.mqtt_topics import DEFAULT_BASE

_CAMERA_ID = Pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "1 to 64 of A-Z a-z 0-9 . _ -")
_LEVELS = r"[^+#\0/][^+#\0]{0,199}(?<!/)"
_TOPIC = Pattern(_LEVELS, "one or more topic levels without + and #")
_PREFIX = Pattern(rf"(?:{_LEVELS})?", '"", or one or more topic levels without + and #')
Kinds = tuple[Annotated[str, Choice(OPENED, UPDATED, CLOSED)], ...]
_PLAIN = re.compile(r"[!-~]*")  # what an HTTP request takes
_MIN_FILE_BYTES = 65_536  # more than the longest line


@dataclass(frozen=True)
class JsonLinesSettings:
    """Section ``[sinks.json_lines]``: a file with one line per event.

    At ``max_bytes`` ``path`` becomes ``path.1``, that one ``path.2``, up to ``keep`` old files.
    """

    path: Path
    max_bytes: Annotated[int, Range(_MIN_FILE_BYTES, math.inf)] = 10_000_000
    keep: Annotated[int, Range(0, 10_000)] = 3
    events: Kinds = (CLOSED,)

    def __post_init__(self) -> None:
        check_ranges(self)
        check_kinds(self.events)


@dataclass(frozen=True)
class MqttSettings:
    """Section ``[sinks.mqtt]``: the broker, and the camera's names there.

    ``discovery_prefix`` "" turns Home Assistant discovery off. With "opened" among ``events`` each of ``labels`` has a
    binary sensor, on while a visit of it is open; without ``labels`` each label that was ever seen has one. The status
    is published when it changes, at most every ``status_s``.
    """

    host: str
    camera_id: Annotated[str, _CAMERA_ID]
    port: Annotated[int, Range(1, 65_535)] = 1883
    camera_name: str | None = None
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    base_topic: Annotated[str, _TOPIC] = DEFAULT_BASE
    discovery_prefix: Annotated[str, _PREFIX] = "homeassistant"
    pictures: bool = False
    events: Kinds = (CLOSED,)
    labels: tuple[str, ...] = ()
    status_s: Annotated[float, Range(10, 86_400)] = 60.0

    def __post_init__(self) -> None:
        check_ranges(self)
        check_kinds(self.events)
        if not is_host(self.host):
            raise FieldError(
                "host",
                f"host is {shown(self.host)}, expected the name or address of the broker alone, such as "
                '"broker.local"; port and tls are separate keys',
            )


@dataclass(frozen=True)
class WebhookSettings:
    """Section ``[sinks.webhook]``: a server that receives each event as a POST.

    The token is sent in the Authorization header. ``timeout_s`` covers the whole exchange, from connecting to the last
    byte of the response.
    """

    url: str
    token_file: Path | None = None
    timeout_s: Annotated[float, Range(0.1, 600)] = 10.0
    events: Kinds = (CLOSED,)

    def __post_init__(self) -> None:
        check_ranges(self)
        check_kinds(self.events)
        check_url("url", self.url)


def check_kinds(events: tuple[str, ...]) -> None:
    """Refuse a list of events that is empty or names one twice.

    Raises:
        FieldError: it is.
    """
    if not events or len(set(events)) != len(events):
        raise FieldError("events", f"events is {list(events)}, expected one or more of opened, updated, closed")


def check_url(field: str, url: str) -> None:
    """Refuse an address that is not http or https, or holds a password.

    Raises:
        FieldError: it does; the message shows no secret.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
        valid = valid and (is_ip(parts.hostname or "") or bool((parts.hostname or "").encode("idna")))
    except ValueError:
        valid = False
    if valid and (any(map(str.isspace, url)) or not _PLAIN.fullmatch(f"{parts.path}{parts.query}")):
        raise FieldError(
            field, f"{field} is {shown(url)}, expected ASCII characters without spaces: write others as %20, %C3%A4"
        )
    if not valid:
        raise FieldError(
            field, f"{field} is {shown(url)}, expected http://HOST/... or https://HOST/... without a password"
        )


@dataclass(frozen=True)
class SinksSettings:
    """Section ``[sinks]``: destinations of events besides the store, from which they read.

    ``plugin`` has the tables of sinks of other packages, see ``plugins.py``.
    """

    json_lines: JsonLinesSettings | None = None
    mqtt: MqttSettings | None = None
    webhook: WebhookSettings | None = None
    plugin: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return True if there is at least one sink."""
        return any(getattr(self, entry.name) not in (None, {}) for entry in fields(self))
