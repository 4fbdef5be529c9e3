"""Reloads of a running camera that fail in ways of the system."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from trailcam_core.errors import ConfigError
from trailcam_edge.app.runner import Runner, RunnerParts
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.service.sd_notify import Notifier


@pytest.mark.parametrize("error", [ConfigError("line 3"), PermissionError(13, "Permission denied", "trailcam.toml")])
def test_a_reload_that_cannot_read_its_file_leaves_the_camera_as_it_was(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    configs: list[Callable[[], Config]] = [Config]

    def read() -> Config:
        if not configs:
            raise error
        return configs.pop()()

    unused: Any = None
    parts = RunnerParts(read, unused, unused, unused, unused, unused, Notifier(None), "1")
    hangup = threading.Event()
    runner = Runner(parts, unused, hangup)
    hangup.set()
    assert runner._poll_reload() is None
    assert not hangup.is_set()
    assert f"reload refused, the camera continues as before: {error}" in caplog.text
