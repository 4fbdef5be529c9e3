"""Fixtures of the tests of the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.watch_process import Watch


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """A running ``trailcam watch`` that has reported itself ready."""
    made = Watch(tmp_path)
    try:
        made.hear("READY=1")
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        made.socket.close()
