"""Settings of the schedule."""

from dataclasses import dataclass
from typing import Annotated

from trailcam_core.records import FieldError, Range, check_ranges, shown
from trailcam_edge.recognition.schedule.expression import SUN_EVENTS, Window, parse_windows


@dataclass(frozen=True)
class ScheduleSettings:
    """Section ``[schedule]``: the camera watches within the windows of ``watch``, "" is always.

    A window is two times with ``..`` between them; a comma separates windows. A time is ``HH:MM`` of the machine's time
    zone, or ``dawn``, ``sunrise``, ``noon``, ``sunset``, ``dusk``, with an offset such as ``-1h``, ``+30m`` or
    ``+1h30m``. Times of the sun need ``latitude_deg`` and ``longitude_deg``, positive in the north and the east.
    """

    watch: str = ""
    latitude_deg: Annotated[float, Range(-90, 90)] | None = None
    longitude_deg: Annotated[float, Range(-180, 180)] | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
        try:
            windows = self.windows
        except ValueError as error:
            raise FieldError("watch", f"watch is {shown(self.watch)}, {error}") from error
        uses_sun = any(point.name in SUN_EVENTS for window in windows for point in (window.start, window.end))
        for name in ("latitude_deg", "longitude_deg"):
            if uses_sun and getattr(self, name) is None:
                raise FieldError(name, f"{name} is missing, expected a number: watch follows the sun")

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows of ``watch``."""
        return parse_windows(self.watch)
