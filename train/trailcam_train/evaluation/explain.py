"""Explain a trained network: Grad-CAM, and the channels of its first layers.

Grad-CAM needs the gradient of a logit by the last spatial activation, (N, h, w, C). ``keras.ops`` has no
gradient, but every backend's training step has one. So the layers behind that activation, the head, are put behind a
shift that is zero and is all there is to train; one step of plain gradient descent with rate 1 on minus the logit then
leaves the gradient in the shift, exactly. Tests run it on TensorFlow and JAX; no backend is named here.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.images.resize import Image
from trailcam_train.models.runtime import jit_setting

Floats = npt.NDArray[np.float32]

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
_POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


@dataclass(frozen=True)
class FeatureMaps:
    """The output of a layer for one picture: ``maps`` is (h, w, C) float32; ``kind`` is convolution or pooling."""

    kind: str
    layer: str
    maps: Floats


def grad_cam(model: keras.Model, images: npt.NDArray[np.uint8], class_ids: npt.NDArray[np.integer[Any]]) -> Floats:
    """Return the Grad-CAM map of each picture for a class: (N, h, w) float32, from 0 to 1 at its maximum.

    A map is all 0 if no region supports the class. Without a convolution, or where the head cannot be cut off at one
    point, there are no maps: (N, 0, 0).

    Args:
        model: (N, H, W, 3) uint8 to (N, K) logits; not changed.
        images: (N, H, W, 3) uint8 RGB, as the model takes them, N at least 1.
        class_ids: (N,) the class to explain in each.

    Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV
    2017, equations 1 and 2.
    """
    graph = _trace(model)
    found = _cut_head(graph)
    if found is None:
        return np.zeros((len(images), 0, 0), np.float32)
    cut, head = found
    features = _run(graph.pixels, cut, images)  # (N, h, w, C)
    gradient = _gradient(head, features, np.eye(head.output_shape[-1], dtype=np.float32)[class_ids])
    weights = gradient.mean(axis=(1, 2), keepdims=True)  # (N, 1, 1, C)
    maps = np.maximum((weights * features).sum(axis=-1), 0.0)
    peaks = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(peaks > 0, peaks, 1.0), np.float32)


def feature_maps(model: keras.Model, image: Image) -> tuple[FeatureMaps, ...]:
    """Return the outputs of the first convolution and the first pooling for a picture, if the network has them.

    Args:
        model: (N, H, W, 3) uint8 to logits.
        image: (H, W, 3) uint8 RGB, as the model takes it.
    """
    graph = _trace(model)
    found = []
    for kind, types in (("convolution", _CONVOLUTIONS), ("pooling", _POOLINGS)):
        made = next((made for made in graph.calls if isinstance(made.layer, types)), None)
        if made is not None:
            found.append(FeatureMaps(kind, made.layer.name, _run(graph.pixels, made.left, image[None])[0]))
    return tuple(found)


@dataclass(frozen=True)
class _LayerCall:
    """One call of a layer: the symbolic tensor it takes, or a list of them, and the one it gives."""

    layer: Any
    entered: Any
    left: Any


@dataclass(frozen=True)
class _Graph:
    pixels: Any
    calls: tuple[_LayerCall, ...]
    logits: Any


def _trace(model: keras.Model) -> _Graph:
    """Call the layers of ``model`` again, including those of nested models, and record their inputs and outputs."""
    calls: list[_LayerCall] = []

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, keras.Model):
            return call_inside(layer, arguments[0])
        left = layer(*arguments, **options)
        calls.append(_LayerCall(layer, arguments[0], left))
        return left

    def call_inside(outer: keras.Model, entered: Any) -> Any:
        functional = keras.Model(outer.inputs[0], outer.outputs[0])  # Keras takes a call_function for these alone
        keras.models.clone_model(
            functional, input_tensors=entered, clone_function=lambda layer: layer, call_function=call
        )
        return calls[-1].left  # all else leads there, so it was called last

    pixels = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    logits = call_inside(model, pixels)
    return _Graph(pixels, tuple(calls), logits)


def _has_places(tensor: Any) -> bool:
    """Return whether a symbolic tensor is (N, h, w, C) with more than one position."""
    shape: Any = getattr(tensor, "shape", ())
    return len(shape) == 4 and (shape[1] or 0) * (shape[2] or 0) > 1


def _cut_head(graph: _Graph) -> tuple[Any, keras.Model] | None:
    """Return the last spatial activation and a copy of the layers behind it, or None if there is no such cut."""
    if not any(isinstance(made.layer, _CONVOLUTIONS) for made in graph.calls):
        return None
    cut = next((s.entered for s in reversed(graph.calls) if _has_places(s.entered) and not _has_places(s.left)), None)
    if cut is None:
        return None
    try:
        head = keras.Model(cut, graph.logits)
    except ValueError:  # a connection leads around the cut
        return None
    copy = keras.models.clone_model(head)  # it is frozen below, and the model given must stay as it is
    copy.set_weights(head.get_weights())
    return cut, copy


def _run(pixels: Any, wanted: Any, images: npt.NDArray[np.uint8]) -> Floats:
    """Compute one tensor of the graph without compilation, because it is called once."""
    found = keras.Model(pixels, wanted)(keras.ops.convert_to_tensor(images), training=False)
    return np.asarray(keras.ops.convert_to_numpy(found), np.float32)


class _Shifted(keras.Model):  # type: ignore[misc]  # Keras is untyped here
    """A frozen head, in inference mode, behind a shift of its input that is zero and can learn."""

    def __init__(self, head: keras.Model, shape: tuple[int, ...]) -> None:
        super().__init__(name="shifted_head")  # TensorFlow's graphs take no name of a private class
        head.trainable = False
        self.head = head
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")

    def call(self, features: Any) -> Any:
        """Return the logits, (N, K), of features (N, h, w, C)."""
        return self.head(features + self.shift, training=False)


def _gradient(head: keras.Model, features: Floats, wanted: Floats) -> Floats:
    """Return the gradient, (N, h, w, C), of each picture's wanted logit by its features; ``wanted``: (N, K) one-hot."""
    probe = _Shifted(head, features.shape)
    probe.compile(
        keras.optimizers.SGD(learning_rate=float(len(features))),  # Keras minimises the mean; the rate makes it the sum
        loss=lambda wanted, logits: -keras.ops.sum(wanted * logits, axis=-1),
        jit_compile=jit_setting(),
    )
    probe.train_on_batch(features, wanted)
    return np.asarray(keras.ops.convert_to_numpy(probe.shift), np.float32)
