"""Trailcam: from a folder of photographs to animal recognition that is proven to work on a field camera.

    from trailcam import Classifier, read_image

    answer = Classifier.open().classify(read_image("photo.jpg"))
    print(answer.label, answer.confidence)

``train``, ``resume``, ``export`` and ``benchmark`` are the stages as functions.

The names in ``__all__`` are the public interface; everything else may change between releases. Each name is loaded when
it is first used, so that ``import trailcam`` needs neither numpy nor OpenCV.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trailcam.workflow import benchmark, export, resume, train
    from trailcam_core.bundle.folder import Bundle, open_bundle
    from trailcam_core.classifier import Classification, Classifier
    from trailcam_core.errors import TrailcamError
    from trailcam_core.images.decode import read_image
    from trailcam_core.inference.decision import Candidate
    from trailcam_train.retraining.earlier import Earlier

__all__ = [
    "Bundle",
    "Candidate",
    "Classification",
    "Classifier",
    "Earlier",
    "TrailcamError",
    "benchmark",
    "export",
    "open_bundle",
    "read_image",
    "resume",
    "train",
]

_MODULES = {
    "Bundle": "trailcam_core.bundle.folder",
    "Candidate": "trailcam_core.inference.decision",
    "Classification": "trailcam_core.classifier",
    "Classifier": "trailcam_core.classifier",
    "Earlier": "trailcam_train.retraining.earlier",
    "TrailcamError": "trailcam_core.errors",
    "benchmark": "trailcam.workflow",
    "export": "trailcam.workflow",
    "open_bundle": "trailcam_core.bundle.folder",
    "read_image": "trailcam_core.images.decode",
    "resume": "trailcam.workflow",
    "train": "trailcam.workflow",
}


def __getattr__(name: str) -> Any:
    """Load a public name, or the version of the installed distribution (PEP 562)."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("trailcam")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_MODULES[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        packages = importlib.import_module("trailcam_core.images.opencv_packages")
        raise ModuleNotFoundError(packages.explain_missing(packages.owners_of_cv2()), name="cv2") from error


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*__all__, "__version__"])
