"""Progress of long jobs where stderr is no terminal."""

import pytest

from trailcam import progress
from trailcam.progress import job_progress


def test_a_log_gets_a_line_per_minute_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    with job_progress() as show:
        for second in range(250):
            now_s[0] = float(second)
            show("files", 10 * second, 2_500, "")
    assert capsys.readouterr().err.splitlines() == [
        "files: 600 of 2,500, about 3 min left",
        "files: 1,200 of 2,500, about 2 min left",
        "files: 1,800 of 2,500, about 1 min left",
        "files: 2,400 of 2,500, less than a minute left",
    ]


def test_the_time_left_is_that_of_the_stage_and_of_its_present_round(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    with job_progress() as show:
        for stage, seconds in (("reading", 90), ("teacher", 100), ("teacher", 200)):
            for second in range(seconds):
                now_s[0] += 1
                show(stage, second * (3 if stage == "teacher" else 1), 600, "")
    assert capsys.readouterr().err.splitlines() == [
        "reading: 59 of 600, about 9 min left",
        "teacher: 87 of 600, about 3 min left",
        "teacher: 267 of 600, about 2 min left",
        "teacher: 147 of 600, about 3 min left",
        "teacher: 327 of 600, about 2 min left",
        "teacher: 507 of 600, about 1 min left",
    ]
