"""Each way in which the camera of a Raspberry Pi fails has its own message and cure."""

import errno
import itertools

import pytest

from trailcam_core.errors import SourceError
from trailcam_edge.sources.picamera_errors import explain_camera


def chained(*errors: Exception) -> Exception:
    """Return the first error, caused by the second, and so on."""
    for outer, inner in itertools.pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


INIT = RuntimeError("Camera __init__ sequence did not complete.")


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (ModuleNotFoundError("No module named 'picamera2'", name="picamera2"), "apt install -y python3-picamera2"),
        (ModuleNotFoundError("No module named 'libcamera'", name="libcamera"), "apt install -y python3-libcamera"),
        (ModuleNotFoundError("No module named 'libcamera'", name="libcamera._libcamera"), "--system-site-packages"),
        (ModuleNotFoundError("No module named 'pykms'", name="pykms"), "apt install -y python3-kms"),
        (ModuleNotFoundError("No module named 'kms'", name="kms"), "apt install -y python3-kms"),
        (ModuleNotFoundError("No module named 'prctl'", name="prctl"), "prctl cannot be imported"),
        (ValueError("numpy.dtype size changed, may indicate binary incompatibility"), "pip uninstall -y numpy"),
        (ImportError("numpy.core.multiarray failed to import"), "pip uninstall -y numpy"),
        (RuntimeError('No camera number 0 found - use "rpicam-hello"'), "ribbon cable"),
        (IndexError("list index out of range"), "ribbon cable"),
        (chained(INIT, RuntimeError("Failed to acquire camera: Device or resource busy")), "another program has it"),
        (chained(INIT, RuntimeError("camera.acquire() returned unexpected code: -16")), "another program has it"),
        (OSError(errno.EBUSY, "Device or resource busy"), "another program has it"),
        (RuntimeError("Could not open any dmaHeap device"), "usermod -aG video"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "cma-256"),
        (RuntimeError("Failed to start camera: Cannot allocate memory"), "cma-256"),
        (TimeoutError(), "delivers no more frames"),
        (chained(RuntimeError("Failed"), RuntimeError("something else\nand more")), 'failed with "something else"'),
        (KeyError("ExposureTime"), "ExposureTime"),
    ],
)
def test_each_failure_has_its_own_cure(error: Exception, cure: str) -> None:
    told = str(explain_camera(error))
    assert cure in told
    assert told.startswith("camera: ")
    assert "\n" not in told


def test_an_error_of_our_own_is_told_as_it_is() -> None:
    own = SourceError("the cure")
    assert explain_camera(chained(RuntimeError("x"), own)) is own


def test_errors_that_cause_each_other_do_not_go_round_for_ever() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert "failed with" in str(explain_camera(first))
