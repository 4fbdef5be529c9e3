"""One frame through a model, stage by stage, each stage timed.

    decode    JPEG of a camera frame -> image
    resize    image -> input, by the one preprocessing
    invoke    input -> logits, by the interpreter
    post      logits -> classification: finite, softmax, reject rule

``latency`` is resize + invoke + post: the time of ``trailcam watch`` for a frame from the camera. The whole loop adds
decode, as with MJPEG cameras and folders of pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_benchmarks.worker.baseline import camera_frame, raw_invoke
from trailcam_core.classifier import Classifier
from trailcam_core.errors import BundleError
from trailcam_core.images.decode import decode_image
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.decision import decide

STAGES = ("decode", "resize", "invoke", "post")
WARMUP_FRAMES = 20

Times = npt.NDArray[np.float64]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Stages:
    """The four steps; each gets the output of the one before."""

    decode: Callable[[], Any]
    resize: Callable[[Any], Any]
    invoke: Callable[[Any], Any]
    post: Callable[[Any], Any]


def model_stages(classifier: Classifier) -> Stages:
    """Return the stages of an open bundle on a synthetic 640x480 camera frame."""
    _, jpeg = camera_frame()

    def post(logits: npt.NDArray[np.float32]) -> object:
        if not np.isfinite(logits).all():
            raise BundleError(f"{classifier.name}: the model gives NaN or infinity. Export it again.")
        return decide(logits, classifier.output)

    return Stages(
        decode=lambda: decode_image(jpeg, "frame.jpg", classifier.input),
        resize=lambda image: fit_image(image, classifier.input)[None],
        invoke=classifier.model.invoke,
        post=post,
    )


def raw_invoke_stages(classifier: Classifier, threads: int) -> Stages:
    """Return the baseline of an open bundle: the raw interpreter loop on a ready input."""
    call = raw_invoke(classifier, threads, camera_frame()[0])
    return Stages(lambda: None, lambda _: None, lambda _: call(), lambda _: None)


def time_frames(stages: Stages, frames: int, seconds: float, clock: Clock) -> Times:
    """Time frames one by one, until there are ``frames`` of them and ``seconds`` have passed.

    Returns:
        (n, 4) milliseconds, n at least ``frames``, columns as ``STAGES``.
    """
    rows: list[tuple[float, ...]] = []
    start_s = clock()
    while len(rows) < frames or clock() - start_s < seconds:
        begin = clock()
        image = stages.decode()
        decoded = clock()
        tensor = stages.resize(image)
        resized = clock()
        logits = stages.invoke(tensor)
        invoked = clock()
        stages.post(logits)
        rows.append((decoded - begin, resized - decoded, invoked - resized, clock() - invoked))
    return np.array(rows, np.float64).reshape(-1, len(STAGES)) * 1e3


def latencies(times: Times) -> Times:
    """Return the (n,) latencies, resize + invoke + post, of (n, 4) stage times."""
    return np.asarray(times[:, 1:].sum(axis=1), np.float64)
