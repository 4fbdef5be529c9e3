"""Run models on images: the trained Keras model in batches, a converted file as the device runs it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from trailcam_core.inference.open_model import open_model
from trailcam_core.jobs.cores import usable_cores
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_export.inference.batches import Images, Logits, stream_batches

_MOST_INTERPRETERS = 4  # each holds the whole model: with 32 cores, 32 times Xception


class Predictor(Protocol):
    """A model that returns logits for images."""

    def logits(self, images: Images) -> Logits:
        """Return (N, K) float32 logits of (N, H, W, 3) uint8 RGB inputs."""


class KerasPredictor:
    """The trained model in inference mode; one graph for all batch sizes."""

    def __init__(self, model: keras.Model) -> None:
        signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)]
        self._call = tf.function(lambda images: model(images, training=False), input_signature=signature)

    def logits(self, images: Images) -> Logits:
        """Return (N, K) float32 logits of (N, H, W, 3) uint8 RGB inputs."""
        return np.asarray(self._call(tf.constant(images)).numpy(), np.float32)


class FilePredictor:
    """A TFLite or ONNX file, one picture at a time as on the device, by up to four interpreters of one thread each.

    Raises:
        BundleError: the file cannot be loaded or run.
    """

    def __init__(self, path: Path) -> None:
        self._models = [open_model(path, num_threads=1) for _ in range(min(usable_cores(), _MOST_INTERPRETERS))]

    def logits(self, images: Images) -> Logits:
        """Return (N, K) float32 logits of (N, H, W, 3) uint8 RGB inputs."""
        count = len(self._models)
        answers = np.empty((len(images), self._models[0].class_count), np.float32)

        def run(number: int) -> None:
            for position in range(number, len(images), count):
                answers[position] = self._models[number].invoke(images[position : position + 1])

        with ThreadPoolExecutor(count) as pool:
            for _ in pool.map(run, range(count)):
                pass  # an error in a thread is raised here
        return answers


def predict_files(
    paths: Sequence[Path],
    spec: InputSpec,
    predictors: Mapping[str, Predictor],
    stage: str,
    progress: Progress = silent,
) -> dict[str, Logits]:
    """Run every predictor on every image; each image is read once.

    Args:
        paths: N picture files, at least one.
        spec: the models' input.
        predictors: by name.
        stage: the name for ``progress``.
        progress: receives each batch.

    Returns:
        (N, K) logits for each name, in the order of ``paths``.

    Raises:
        SourceError: a picture cannot be read.
        BundleError: a file fails while it runs.
    """
    found: dict[str, list[Logits]] = {name: [] for name in predictors}
    done = 0
    for images in stream_batches(paths, spec):
        for name, predictor in predictors.items():
            found[name].append(predictor.logits(images))
        done += len(images)
        progress(stage, done, len(paths))
    return {name: np.concatenate(parts) for name, parts in found.items()}
