"""Backbones: networks without a head, with weights from a file, put behind raw uint8 pictures as one flat graph.

A flat graph (no model inside the model) is what converters fold well. Shapes: pictures are (N, H, W, 3) uint8 RGB,
features (N, h, w, C) float. Normalisation is the first layer, so every saved model takes raw pixels.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from trailcam_core.errors import TrainError
from trailcam_core.files.keras_weights import prove_weights
from trailcam_core.inference.file_model import first_line
from trailcam_train.models.imagenet_file import ImageNetFile
from trailcam_train.models.torch_weights import SUFFIXES as TORCH_SUFFIXES


class FrozenBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]  # Keras is untyped here
    """BatchNorm in permanent inference mode: its statistics are fixed, while its scale and shift are trainable.

    Calling a plain layer with ``training=False`` is not enough: a functional model in training overrides it. The
    weights are those of a plain layer, in the same order.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:  # noqa: ARG002
        """Normalise ``inputs`` with the stored statistics."""
        return super().call(inputs, training=False, mask=mask)


def with_pixel_input(
    backbone: keras.Model, height: int, width: int, scale: float, offset: float, trains_statistics: bool
) -> tuple[Any, Any]:
    """Rebuild ``backbone`` flat behind raw pixels.

    Args:
        backbone: functional model from (N, h, w, 3) float to features; its weights are copied.
        height: of the pictures in px.
        width: of the pictures in px.
        scale: the network sees ``pixel * scale + offset``.
        offset: see ``scale``.
        trains_statistics: whether its BatchNorm layers follow the training batches; otherwise they are
            ``FrozenBatchNormalization``, which a network to be saved must not have.

    Returns:
        The symbolic input, (N, height, width, 3) uint8, and the features. Make a ``keras.Model`` of them with a head.
    """
    pixels = keras.Input((height, width, 3), dtype="uint8", name="pixels")
    rescaling = keras.layers.Rescaling(scale, offset, name="rescaling", dtype="float32")

    def copy(layer: Any) -> Any:
        holds = isinstance(layer, keras.layers.BatchNormalization) and not trains_statistics
        return (FrozenBatchNormalization if holds else type(layer)).from_config(layer.get_config())

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        if arguments and arguments[0] is pixels:
            arguments = (rescaling(pixels), *arguments[1:])
        return layer(*arguments, **options)

    flat = keras.models.clone_model(backbone, input_tensors=pixels, clone_function=copy, call_function=call)
    flat.set_weights(backbone.get_weights())
    return pixels, flat.output


def load_weights(backbone: keras.Model, weights: str, imagenet: ImageNetFile | None) -> None:
    """Load the weights that a recipe names into ``backbone``.

    Args:
        backbone: changed in place.
        weights: ``imagenet``, ``none`` or the path of a ``.keras``, ``.h5`` or ``.weights.h5`` file.
        imagenet: the published weights of this backbone, if any.

    Raises:
        TrainError: no such file, of another layout, damaged, or not available without a network.
    """
    if weights == "none":
        return
    if weights == "imagenet" and imagenet is None:
        raise TrainError(
            f'weights "imagenet": no published Keras file is known for {backbone.name}. '
            'Name a file with "--weights PATH", or start from nothing with "--weights none".'
        )
    path = imagenet.fetch() if weights == "imagenet" and imagenet is not None else Path(weights)
    if not path.is_file():
        raise TrainError(
            f"{path}: no such file, expected the weights of {backbone.name} without its head (.keras, .weights.h5 or "
            '.h5). Name one with "--weights PATH", or start from nothing with "--weights none".'
        )
    if path.suffix in TORCH_SUFFIXES:
        raise TrainError(
            f"{path}: {backbone.name} takes weights as Keras writes them (.keras, .weights.h5, .h5). Files of PyTorch "
            "and safetensors are read for EfficientNet-Lite alone."
        )
    prove_weights(path, TrainError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns where it leaves a layer without weights
            if path.suffix == ".keras":
                _copy_layers(keras.models.load_model(path, compile=False), backbone, path)
            else:
                backbone.load_weights(path)
    except (ValueError, OSError, KeyError, TypeError, UserWarning) as error:
        raise TrainError(
            f"{path}: does not hold the weights of {backbone.name} without its head ({first_line(error)}). "
            "Name the file that belongs to this recipe."
        ) from error


def _copy_layers(source: keras.Model, target: keras.Model, path: Path) -> None:
    """Copy layer by layer, by name; in order if Keras numbered the layers by what was built before (Xception)."""
    given = {layer.name: layer for layer in source.layers}
    layers = [layer for layer in target.layers if layer.weights]
    in_order = [layer for layer in source.layers if layer.weights][: len(layers)]
    if _shapes(in_order) == _shapes(layers) and any(layer.name not in given for layer in layers):
        given = {layer.name: taken for layer, taken in zip(layers, in_order, strict=True)}
    for layer in layers:
        wanted = layer.get_weights()
        found = given[layer.name].get_weights() if layer.name in given else []
        if [array.shape for array in found] != [array.shape for array in wanted]:
            raise TrainError(
                f"{path}: its layer {layer.name!r} is {[a.shape for a in found] or 'missing'}, expected "
                f"{[a.shape for a in wanted]} for {target.name}. Name the file that belongs to this recipe."
            )
        layer.set_weights(found)


def _shapes(layers: Sequence[keras.Layer]) -> list[list[tuple[int, ...]]]:
    return [[tuple(weight.shape) for weight in layer.weights] for layer in layers]
