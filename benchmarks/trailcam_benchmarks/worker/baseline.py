"""The baseline of a bundle, the raw interpreter call, and the synthetic camera frame of all measurements."""

import functools
from collections.abc import Callable

import cv2
import numpy as np

from trailcam_core.classifier import Classifier
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.inference.runtimes import load_onnxruntime, load_runtime

FRAME_WIDTH_PX, FRAME_HEIGHT_PX = 640, 480
_JPEG_QUALITY = 90


def raw_invoke(classifier: Classifier, threads: int, image: Image) -> Callable[[], object]:
    """Return a call from a ready input to the raw output, on a separate interpreter."""
    ready = fit_image(image, classifier.input)[None]
    path = classifier.bundle.model_path
    if path.suffix == ".onnx":
        runtime = load_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda: session.run(None, {name: ready})
    interpreter = load_runtime().Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    input_index = interpreter.get_input_details()[0]["index"]
    output_index = interpreter.get_output_details()[0]["index"]

    def call() -> object:
        interpreter.set_tensor(input_index, ready)
        interpreter.invoke()
        return interpreter.get_tensor(output_index)

    return call


@functools.cache  # its arrays are a hundred times the frame, and must not be created while a model is measured
def camera_frame() -> tuple[Image, bytes]:
    """Return a smooth coloured scene with sensor noise, and its JPEG; the same in every run, not to be written to."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (FRAME_WIDTH_PX, FRAME_HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    image = np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255).astype(np.uint8)
    written, buffer = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not written:
        raise RuntimeError("OpenCV cannot write JPEG")
    return image, buffer.tobytes()
