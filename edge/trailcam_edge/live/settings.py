"""Settings of the live page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from trailcam_core.records import FieldError, Range, check_ranges, shown
from trailcam_edge.live.access import parse_address

_MAX_NAME = 60


@dataclass(frozen=True)
class LiveSettings:
    """Section ``[live]``: the address of the live page and its access rules.

    ``hosts`` are further names of this camera that a browser may use. ``viewers`` limits how many receive pictures at
    the same time. ``name`` is the camera's, over every page; without one it is the host name of the device.
    """

    address: str = "127.0.0.1:8080"
    token_file: Path | None = None
    hosts: tuple[str, ...] = ()
    viewers: Annotated[int, Range(1, 100)] = 10
    name: str | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
        parse_address(self.address)
        if self.name is not None and not (0 < len(self.name.strip()) <= _MAX_NAME and self.name.isprintable()):
            raise FieldError("name", f"name is {shown(self.name)}, expected 1 to {_MAX_NAME} printable characters")
