"""Settings of actions."""

from dataclasses import dataclass
from typing import Annotated

from trailcam_core.records import FieldError, Pattern, Range
from trailcam_edge.sinks.filters import FilterSettings

_USER = Pattern(r"[a-z_][a-z0-9_-]{0,31}", "the name of a user")
_MAX_ARGUMENTS = 100


@dataclass(frozen=True, kw_only=True)
class ActionSettings(FilterSettings):
    """Section ``[actions.NAME]``: a program for each event that passes the filter.

    ``command`` is the absolute path of the program and its arguments; no shell sees it. The event is JSON on standard
    input. After ``timeout_s`` the program and its children are killed. An event that waited longer than ``late_s`` is
    dropped. The program may use ``max_memory_mb``. ``user`` runs it as another user, which only root may do.
    """

    command: tuple[str, ...]
    timeout_s: Annotated[float, Range(0.1, 3600)] = 10.0
    late_s: Annotated[float, Range(0.1, 3600)] = 10.0
    max_memory_mb: Annotated[int, Range(16, 65_536)] = 256
    user: Annotated[str, _USER] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.command or not self.command[0].startswith("/") or len(self.command) > _MAX_ARGUMENTS:
            raise FieldError("command", "command needs the absolute path of a program first, such as /usr/bin/gpioset")
        if any("\0" in argument for argument in self.command):
            raise FieldError("command", "command has a null character, expected texts without it")
