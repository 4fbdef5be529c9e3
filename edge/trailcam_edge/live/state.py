"""What the program does at present, in one word for programs and in words for people. A pure function."""

from dataclasses import dataclass
from typing import Literal

State = Literal["watching", "starting", "no camera", "switching", "ended"]
Phase = Literal["watching", "switching", "ended"]
_START_S = 30.0  # a bundle is loaded and a camera opened in less
_WORDS = {"switching": "switching to another bundle or configuration", "ended": "ended"}


@dataclass(frozen=True)
class ProgramState:
    """``code`` for programs, ``words`` for people."""

    code: State
    words: str


def program_state(phase: Phase, frame_age_s: float | None, running_s: float, stall_s: float) -> ProgramState:
    """Return the state of the program.

    Args:
        phase: what the program was asked to do.
        frame_age_s: since the newest frame; None before the first.
        running_s: since the start.
        stall_s: a frame that is older counts as none.
    """
    if phase != "watching":
        return ProgramState(phase, _WORDS[phase])
    if frame_age_s is None and running_s < max(_START_S, stall_s):
        return ProgramState("starting", "starting")
    if frame_age_s is not None and frame_age_s < stall_s:
        return ProgramState("watching", "watching")
    return ProgramState("no camera", f"no camera for {duration(running_s if frame_age_s is None else frame_age_s)}")


def duration(seconds: float) -> str:
    """Return a time in the units that people use."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2 * 1440 else f"{minutes // 1440} days"
