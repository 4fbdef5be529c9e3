"""The float network of an int8 bundle: EfficientNet-Lite2 with the weights that its file states.

Every convolution of the file has its BatchNorm folded into it. Where the published weights, folded likewise, differ by
at most half a quantisation step, the layer was never trained and the published weights are taken: they are exact.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import ExportError
from trailcam_train.models.efficientnet_lite import LITE2, build_lite_classifier
from trailcam_train.recipes.find import find_recipe

RECIPE = "efficientnet_lite2"
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_UNTRAINED_STEPS = 0.51  # largest difference of a weight that was only rounded, in quantisation steps

Floats = npt.NDArray[np.floating[Any]]


def float_network(bundle: Path) -> keras.Model:
    """Return the network of a bundle of EfficientNet-Lite2: (N, 260, 260, 3) uint8 to (N, K) logits.

    Raises:
        BundleError: no such bundle, or a damaged one.
        ExportError: its model is another network.
        TrainError: the published weights cannot be fetched.
    """
    opened = open_bundle(bundle)
    found = _read_layers(opened.model_path)
    names = _layer_names()
    if len(found) != len(names) + 1:
        raise ExportError(
            f"{opened.model_path}: {len(found)} layers with weights, expected {len(names) + 1} of {RECIPE}. "
            "Name a bundle of that network."
        )
    model = build_lite_classifier(LITE2, find_recipe(RECIPE), len(opened.manifest.output.labels))
    for name, (weights, bias) in zip(names, found[:-1], strict=True):
        _set_convolution(model, name, np.transpose(weights, (1, 2, 3, 0)), bias)
    weights, bias = found[-1]
    model.get_layer("logits").set_weights([weights.reshape(len(bias), -1).T, bias])
    return model


def _layer_names() -> list[str]:
    """Return the names of the convolutions in the order of the network, without the suffix of the layer."""
    names, number = ["stem"], 0
    for repeats, _, _, expansion, _ in LITE2.stages:
        for _ in range(repeats):
            parts = ("expand", "dw", "project") if expansion != 1 else ("dw", "project")
            names += [f"block{number}_{part}" for part in parts]
            number += 1
    return [*names, "top"]


def _set_convolution(model: keras.Model, name: str, kernel: Floats, bias: Floats) -> None:
    """Give a convolution the weights of the file, (h, w, in, out); its BatchNorm keeps its scale."""
    depthwise = name.endswith("_dw")
    convolution, norm = model.get_layer(name if depthwise else f"{name}_conv"), model.get_layer(f"{name}_bn")
    scale, _, mean, variance = norm.get_weights()
    factor = scale / np.sqrt(variance + norm.epsilon)
    across = factor.reshape((1, 1, -1, 1) if depthwise else (1, 1, 1, -1))
    step = np.abs(kernel).max(axis=(0, 1, 3) if depthwise else (0, 1, 2), keepdims=True) / 127
    published = convolution.get_weights()[0] * across
    if np.all(np.abs(published - kernel) <= _UNTRAINED_STEPS * step):
        return
    convolution.set_weights([kernel / across])
    norm.set_weights([scale, bias + mean * factor, mean, variance])


def _read_layers(path: Path) -> list[tuple[Floats, Floats]]:
    """Return weights and bias of each layer of a TFLite file, dequantised, in the order of the file."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    tensors = {item["index"]: item for item in interpreter.get_tensor_details()}

    def read(number: int) -> Floats:
        rule = tensors[number]["quantization_parameters"]
        values = np.asarray(interpreter.get_tensor(number), np.float32)
        shape = [1] * values.ndim
        if len(rule["scales"]) > 1:
            shape[rule["quantized_dimension"]] = -1
        return np.asarray((values - rule["zero_points"].reshape(shape)) * rule["scales"].reshape(shape), np.float32)

    operations = interpreter._get_ops_details()  # the only way to its order
    layers = [item["inputs"] for item in operations if item["op_name"] in _WEIGHTED]
    return [(read(int(inputs[1])), read(int(inputs[2]))) for inputs in layers]
