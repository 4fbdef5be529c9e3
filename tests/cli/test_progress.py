"""Progress of long jobs where stderr is no terminal."""

import pytest

from trailcam import progress
from trailcam.progress import job_progress


def test_a_log_gets_a_line_per_minute_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    with job_progress() as show:
        for second in range(200):
            now_s[0] = float(second)
            show("files", 10 * second, 12_000, "")
    assert [record.getMessage() for record in caplog.records] == [
        "files: 600 of 12,000, about 19 min left",
        "files: 1,200 of 12,000, about 18 min left",
        "files: 1,800 of 12,000, about 17 min left",
    ]
