"""The device side of Trailcam: the bundle contract, preprocessing, interpreters, frame sources and the live loop.

Start with ``Classifier``; ``docs/bundle-format.md`` says what a bundle is. The names below are loaded when they are
first used, so that a command which needs only ``trailcam_core.errors`` starts without numpy and OpenCV.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trailcam_core.bundle.folder import Bundle, open_bundle
    from trailcam_core.classifier import Classification, Classifier
    from trailcam_core.errors import TrailcamError
    from trailcam_core.images.decode import read_image
    from trailcam_core.inference.decision import Candidate

__all__ = ["Bundle", "Candidate", "Classification", "Classifier", "TrailcamError", "open_bundle", "read_image"]

_MODULES = {
    "Bundle": "bundle",
    "Candidate": "decision",
    "Classification": "classifier",
    "Classifier": "classifier",
    "TrailcamError": "errors",
    "open_bundle": "bundle",
    "read_image": "preprocessing",
}


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
