"""Errors of the Raspberry Pi's camera: one message with a cure for each cause."""

import errno
from collections.abc import Iterator

from trailcam_core.errors import SourceError

# What Picamera2 and libcamera raise: missing modules, numpy's ABI, their own checks, the kernel's answers. IndexError
# and KeyError come from tables of Picamera2 when a camera reports less than it expects.
CAMERA_ERRORS = (ImportError, ValueError, RuntimeError, OSError, IndexError, KeyError)

_APT = '"sudo apt install -y python3-picamera2 --no-install-recommends"'
_VENV = '"python3 -m venv --system-site-packages ~/trailcam"'
_MODULE_CURES = {
    "picamera2": f"Picamera2 is not installed, or this Python does not see it. Run {_APT}, and make the environment "
    f"with {_VENV}.",
    "libcamera": "Picamera2 is here, but not libcamera, which pip does not have. Run "
    f'"sudo apt install -y python3-libcamera", and make the environment with {_VENV}.',
    "pykms": f'Picamera2 lacks pykms. Run "sudo apt install -y python3-kms++", and make the environment with {_VENV}.',
}
_MODULE_CURES["kms"] = _MODULE_CURES["pykms"]
_NUMPY_ABI = (
    'numpy was replaced by a version that apt\'s Picamera2 was not built for. Run "pip uninstall -y numpy simplejpeg" '
    'in the environment, so that apt\'s are used again; on Raspberry Pi OS 12 name "numpy<2" whenever you install '
    "Trailcam, because newer OpenCV brings numpy 2 along."
)
_NO_CAMERA = (
    "no camera was found. Check the ribbon cable at both ends with the power off, then "
    '"rpicam-hello --list-cameras"; "trailcam cameras" lists what is there.'
)
_BUSY = (
    "the camera is busy: another program has it. Stop that one (a service of Trailcam's own: "
    '"sudo systemctl stop trailcam"); "sudo fuser -v /dev/media*" names it.'
)
_DMA_HEAP = (
    'no DMA heap can be opened, so the camera has no buffers. Run "sudo usermod -aG video $USER" and log in again; in '
    "a container, hand /dev/dma_heap in."
)
_CMA = (
    "the camera's own memory (CMA) is used up; this is not RAM. Ask for a smaller picture (--picture-size 1280x720), "
    'or write "dtoverlay=vc4-kms-v3d,cma-256" in /boot/firmware/config.txt and start again.'
)
_STALLED = (
    'the camera delivers no more frames. Most often it is the ribbon cable or the power supply; "dmesg | tail" and '
    '"vcgencmd get_throttled" show which.'
)


def explain_camera(error: BaseException) -> SourceError:
    """Return our error for one of Picamera2, found by the whole chain of causes."""
    chain = list(_chain(error))
    for found in chain:
        if isinstance(found, SourceError):
            return found
    for found in reversed(chain):  # the deepest cause is the most specific
        message = _explain_one(found)
        if message is not None:
            return SourceError(f"camera: {message}")
    text = (str(chain[-1]).strip().splitlines() or [type(chain[-1]).__name__])[0]
    return SourceError(
        f'camera: it failed with "{text[:200]}". Try "rpicam-hello", which shows whether the camera works.'
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _explain_one(error: BaseException) -> str | None:
    text = str(error)
    code = getattr(error, "errno", None)
    busy = ("Device or resource busy", "acquire camera", "in use by another process", "unexpected code: -16")
    causes = (  # the first that applies; a later sign may occur in the text of an earlier cause
        (isinstance(error, TimeoutError) and code is None, _STALLED),
        (_contains(text, "numpy.dtype size changed", "numpy.core.multiarray failed", "_ARRAY_API"), _NUMPY_ABI),
        (isinstance(error, ImportError), _explain_import(error)),
        (_contains(text, "dmaHeap", "dma_heap"), _DMA_HEAP),
        (code == errno.ENOMEM or _contains(text, "Cannot allocate memory", "[Errno 12]"), _CMA),
        (_contains(text, "No camera number", "Camera(s) not found") or isinstance(error, IndexError), _NO_CAMERA),
        (code == errno.EBUSY or _contains(text, *busy), _BUSY),
    )
    return next((message for applies, message in causes if applies), None)


def _contains(text: str, *signs: str) -> bool:
    return any(sign in text for sign in signs)


def _explain_import(error: BaseException) -> str:
    module = (getattr(error, "name", None) or "").split(".")[0]
    known = _MODULE_CURES.get(module)
    return known or f"{module or 'a module'} cannot be imported ({error}). Run {_APT}, and {_VENV}."
