"""Settings of notifications."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from trailcam_core.files.secret_file import read_secret
from trailcam_core.records import Choice, FieldError, Range
from trailcam_edge.events import CLOSED
from trailcam_edge.sinks.filters import FilterSettings
from trailcam_edge.sinks.notify.message import check_template
from trailcam_edge.sinks.settings import check_url

MULTIPART, JSON = "multipart", "json"
_MAX_ADDRESSES = 20


@dataclass(frozen=True)
class NotifySettings(FilterSettings):
    """Section ``[notify.NAME]``: a message with a picture for each event that passes the filter.

    The destination is one of: ``addresses`` of Apprise; ``addresses_file``, a file with one of them; ``url``, a web
    service that gets a form with the picture (``multipart``) or the JSON of ``template``.

    After a message of a label, none of that label follows for ``quiet_min`` minutes; with ``first_of_day`` none until
    the next day. A message that cannot be sent for ``late_min`` is dropped. The longer side of the picture has
    ``picture_px`` pixels, 0 sends none. ``clip_mb`` (of 1,000,000 bytes) sends the clip of a visit with ``closed``, if
    it is not larger; 0 sends none. ``keep_loaded`` keeps Apprise in memory between messages.
    """

    addresses: tuple[str, ...] = field(default=(), repr=False)  # any part of one may be a token
    addresses_file: Path | None = None
    url: str | None = None
    body: Annotated[str, Choice(MULTIPART, JSON)] = MULTIPART
    template: str = ""
    token_file: Path | None = None
    title: str = "{label}"
    text: str = "{label} at {camera}, {time}, {percent}"
    camera: str = "the camera"
    quiet_min: Annotated[float, Range(0, 10_080)] = 0.0
    first_of_day: bool = False
    late_min: Annotated[float, Range(1, 43_200)] = 1440.0
    picture_px: Annotated[int, Range(0, 4096)] = 640
    clip_mb: Annotated[float, Range(0, 50)] = 0.0
    keep_loaded: bool = False
    picture_quality: Annotated[int, Range(1, 100)] = 75
    timeout_s: Annotated[float, Range(0.1, 600)] = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        destinations = [bool(self.addresses), self.addresses_file is not None, self.url is not None]
        if sum(destinations) != 1:
            raise FieldError("addresses", "expected exactly one of addresses, addresses_file and url")
        if len(self.addresses) > _MAX_ADDRESSES:
            raise FieldError("addresses", f"addresses has {len(self.addresses)} entries, expected at most 20")
        for position, address in enumerate(self.addresses):
            check_address(address, f"addresses[{position}]")
        if self.url is not None:
            check_url("url", self.url)
        for name in ("title", "text"):
            check_template(name, getattr(self, name))
        self._check_template()
        if self.clip_mb and self.only_when != CLOSED:
            raise FieldError("clip_mb", 'clip_mb needs only_when = "closed": a clip is made while the visit is open')

    def _check_template(self) -> None:
        is_json = self.url is not None and self.body == JSON
        if is_json != bool(self.template):
            raise FieldError("template", 'template belongs to url with body = "json": expected both or none')
        if self.template:
            try:
                json.loads(self.template)
            except (ValueError, RecursionError) as error:
                raise FieldError("template", f"template is not JSON: {error}") from error
            check_template("template", self.template, is_json=True)

    def read_addresses(self) -> tuple[str, ...]:
        """Return the addresses, also those in the file.

        Raises:
            ConfigError: the file cannot be read, or others may read it.
        """
        if self.addresses_file is None:
            return self.addresses
        return (read_secret(self.addresses_file, "address of the notification"),)


def check_address(address: str, name: str) -> None:
    """Refuse a text that is no address; the message shows nothing of it, because any part of it may be a secret.

    Raises:
        FieldError: it has no scheme.
    """
    scheme, separator, rest = address.partition("://")
    if not (separator and rest and scheme.replace("-", "").isalnum() and address.isprintable()):
        raise FieldError("addresses", f"{name} is no address, expected SERVICE://..., such as ntfys://HOST/TOPIC")
