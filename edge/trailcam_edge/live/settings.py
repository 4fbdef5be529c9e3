"""Settings of the live page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from trailcam_core.records import Range, check_ranges
from trailcam_edge.live.access import parse_address


@dataclass(frozen=True)
class LiveSettings:
    """Section ``[live]``: the address of the live page and its access rules.

    ``hosts`` are further names of this camera that a browser may use. ``viewers`` limits how many receive pictures at
    the same time.
    """

    address: str = "127.0.0.1:8080"
    token_file: Path | None = None
    hosts: tuple[str, ...] = ()
    viewers: Annotated[int, Range(1, 100)] = 10

    def __post_init__(self) -> None:
        check_ranges(self)
        parse_address(self.address)
