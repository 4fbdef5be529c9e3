"""Run an action for each event: one at a time, and dropped when late."""

import json
import time
from collections.abc import Callable

from trailcam_edge.events import CLOSED, is_recording
from trailcam_edge.events.clock import read_boot_id
from trailcam_edge.sinks.actions.program import Limits, run_program
from trailcam_edge.sinks.actions.settings import ActionSettings
from trailcam_edge.sinks.worker import SinkRejectedError
from trailcam_edge.store.records import EventRecord, sink_json


class ActionSink:
    """One section ``[actions.NAME]``.

    Args:
        name: of the section.
        settings: filter and program.
        cool_down_s: after its last frame a visit ends.
        now_s: the monotonic clock.
        boot_id: of this start of the machine.
    """

    def __init__(
        self,
        name: str,
        settings: ActionSettings,
        cool_down_s: float,
        now_s: Callable[[], float] = time.monotonic,
        boot_id: str | None = None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._cool_down_s = cool_down_s
        self._now_s = now_s
        self._boot_id = boot_id or read_boot_id()
        self._limits = Limits(settings.timeout_s, settings.max_memory_mb, settings.user)

    @property
    def name(self) -> str:
        """The name of the sink: that of the section."""
        return f"action {self._name}"

    def deliver(self, event: EventRecord) -> None:
        """Run the program, if the event passes the filter.

        Raises:
            SinkRejectedError: it is late, or the program failed; an action is not repeated.
        """
        if not self._settings.takes(event):
            return
        late_s = self._late_s(event)
        if late_s > self._settings.late_s:
            raise SinkRejectedError(f"{late_s:.0f} s late, at most {self._settings.late_s:g} s.")
        problem = run_program(self._settings.command, json.dumps(sink_json(event)).encode("ascii"), self._limits)
        if problem is not None:
            raise SinkRejectedError(f"{self._settings.command[0]} {problem}.")

    def close(self) -> None:
        """Do nothing: no program is kept running."""

    def _late_s(self, event: EventRecord) -> float:
        """Return the time since the last frame of a visit, or since its end; without limit for an earlier boot."""
        if is_recording(event.boot_id):
            return 0.0
        if event.boot_id != self._boot_id:
            return float("inf")
        waits_s = self._cool_down_s if event.kind == CLOSED else 0.0
        return self._now_s() - event.monotonic_s - event.duration_s - waits_s
