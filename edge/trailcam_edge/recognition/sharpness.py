"""Sharpness of an image, to select the best frame of a visit."""

import cv2

from trailcam_core.images.resize import Image


def sharpness(image: Image) -> float:
    """Return the sharpness of an (H, W, 3) uint8 RGB image, comparable between images of one size.

    The variance of the Laplacian. Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a
    comparative study", ICPR 2000.
    """
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # less noise, and a third of the time
    grey = cv2.cvtColor(half, cv2.COLOR_RGB2GRAY)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0]) ** 2
