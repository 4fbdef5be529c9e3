"""What the page says that the program does."""

import pytest

from trailcam_edge.live.state import Phase, program_state


@pytest.mark.parametrize(
    ("phase", "age_s", "running_s", "code", "words"),
    [
        ("watching", 9.9, 900.0, "watching", "watching"),
        ("watching", 10.0, 900.0, "no camera", "no camera for 10 s"),
        ("watching", 200.0, 900.0, "no camera", "no camera for 3 min"),
        ("watching", None, 29.9, "starting", "starting"),
        ("watching", None, 30.0, "no camera", "no camera for 30 s"),
        ("watching", None, 4_000.0, "no camera", "no camera for 1 h 6 min"),
        ("ended", 0.1, 900.0, "ended", "ended"),
        ("switching", 0.1, 900.0, "switching", "switching to another bundle or configuration"),
    ],
)
def test_only_a_program_with_new_frames_is_watching(
    phase: Phase, age_s: float | None, running_s: float, code: str, words: str
) -> None:
    found = program_state(phase, age_s, running_s, stall_s=10.0)
    assert (found.code, found.words) == (code, words)


def test_a_camera_that_may_stall_longer_starts_longer() -> None:
    assert program_state("watching", None, 59.0, stall_s=60.0).code == "starting"
