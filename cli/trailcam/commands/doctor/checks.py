"""One finding of ``trailcam doctor``."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "info", "warning", "fault"]


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: subject, at most 13 characters.
        state: "info" is neither good nor bad; a "fault" prevents recognition or updates.
        text: the finding, one line.
        cure: the next step, or None.
    """

    name: str
    state: State
    text: str
    cure: str | None = None
