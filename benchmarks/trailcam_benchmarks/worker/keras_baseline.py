"""The Keras model of a finished training, in the two usual ways, one picture after the other.

    keras.predict    model.predict(picture[None], verbose=0), as in most tutorials
    keras.call       model(picture[None], training=False), as Keras' own documentation advises for small inputs

Decoding, crop and resize are Trailcam's, so that only the runtime differs.

Source: Keras documentation, "Model.predict": "for small numbers of inputs that fit in one batch, directly use
``__call__()`` for faster execution".
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_benchmarks.worker.baseline import camera_frame
from trailcam_benchmarks.worker.benchmarked_model import BenchmarkedModel
from trailcam_benchmarks.worker.stages import Stages
from trailcam_core.datasets.run_directory import read_run
from trailcam_core.files.digest import file_sha256
from trailcam_core.images.decode import decode_image, read_image
from trailcam_core.images.resize import fit_image

KERAS_WAYS = ("keras.predict", "keras.call")


def import_keras(threads: int) -> None:
    """Import Keras and set the number of threads of its backend.

    Raises:
        ModuleNotFoundError: one of them is not installed.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def open_keras_model(path: Path, way: str, threads: int) -> BenchmarkedModel:
    """Open the model of a run directory; ``way`` is one of ``KERAS_WAYS``.

    Raises:
        TrainError: not a finished run.
        DataError: its split cannot be read.
        ModuleNotFoundError: Keras is not installed.
    """
    import_keras(threads)
    import keras

    run = read_run(path)
    start_s = time.perf_counter()
    model = keras.models.load_model(run.model_path, compile=False)
    load_ms = (time.perf_counter() - start_s) * 1e3
    invoke = _predict(model) if way == "keras.predict" else _call(model)
    _, jpeg = camera_frame()
    backend = keras.backend.backend()
    digest = file_sha256(run.model_path)
    return BenchmarkedModel(
        name=path.name,
        scheme="float32",
        sha256=digest,
        source_sha256=digest,
        size_bytes=run.model_path.stat().st_size,
        runtime=f"{way} {keras.__version__} on {backend}",
        stated_top1=None,
        load_ms=load_ms,
        labels=run.labels,
        stages=Stages(
            decode=lambda: decode_image(jpeg, "frame.jpg", run.input),
            resize=lambda image: fit_image(image, run.input)[None],
            invoke=invoke,
            post=_softmax,
        ),
        best=lambda picture: int(invoke(fit_image(read_image(picture, run.input), run.input)[None]).argmax()),
    )


def _predict(model: Any) -> Callable[[Any], Any]:
    return lambda pictures: model.predict(pictures, verbose=0)[0]


def _call(model: Any) -> Callable[[Any], Any]:
    return lambda pictures: np.asarray(model(pictures, training=False))[0]


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    exponentials = np.exp(logits - logits.max())
    return np.asarray(exponentials / exponentials.sum(), np.float32)
