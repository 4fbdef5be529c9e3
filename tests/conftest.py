"""Fixtures for all tests."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline and few examples: test machines are small and shared. Derandomised: a change is judged by the same
# examples everywhere.
settings.register_profile("trailcam", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("trailcam")

# A shell starts what runs in its background with Ctrl-C ignored, and so do its children. Tests press it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and models, which is not part of the project; the test is skipped without it."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TRAILCAM_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("needs photographs that are not part of the project: name their folder in TRAILCAM_TEST_DATA")
    return folder
