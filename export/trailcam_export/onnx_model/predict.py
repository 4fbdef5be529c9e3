"""Run a rebuilt ONNX classifier on images: logits, and the features before its last dense layer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from trailcam_core.jobs.cores import usable_cores
from trailcam_export.convert.to_onnx import INPUT_NAME, OUTPUT_NAME
from trailcam_export.inference.batches import Images, Logits
from trailcam_export.onnx_model.open_onnx import open_session

_DENSE = ("Gemm", "MatMul")


class OnnxPredictor:
    """A rebuilt model by ONNX Runtime, one picture at a time on every core."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        self._session = open_session(proto)

    def logits(self, images: Images) -> Logits:
        """Return (N, K) float32 logits of (N, H, W, 3) uint8 RGB inputs."""
        return _run(self._session, OUTPUT_NAME, images)


def onnx_feature_function(proto: onnx.ModelProto) -> Callable[[Images], npt.NDArray[np.float32]]:
    """Return a function from images to the input of the last dense layer, or to the logits if there is none."""
    dense = [node for node in proto.graph.node if node.op_type in _DENSE]
    name = dense[-1].input[0] if dense else OUTPUT_NAME
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    if name != OUTPUT_NAME:
        copy.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = open_session(copy)
    return lambda images: _run(session, name, images)


def _run(session: Any, name: str, images: Images) -> npt.NDArray[np.float32]:
    def answer(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.asarray(session.run([name], {INPUT_NAME: image[None]})[0], np.float32).reshape(-1)

    with ThreadPoolExecutor(usable_cores()) as pool:
        return np.stack(list(pool.map(answer, images)))
