"""The device side of Trailcam: the bundle contract, preprocessing, interpreters, frame sources and the live loop.

Start with ``Classifier``; ``docs/bundle-format.md`` says what a bundle is.
"""

from trailcam_edge.bundle import Bundle, open_bundle
from trailcam_edge.classifier import Classification, Classifier
from trailcam_edge.decision import Candidate
from trailcam_edge.errors import TrailcamError
from trailcam_edge.preprocessing import read_image

__all__ = ["Bundle", "Candidate", "Classification", "Classifier", "TrailcamError", "open_bundle", "read_image"]
