"""Give a TFLite file its last feature map as a second output, which a second look needs.

No operator is added and no weight changed: a tensor that the file computes anyway is listed as an output. It is the
last one with more than one place, in front of the pooling.
"""

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from trailcam_core.errors import ExportError
from trailcam_core.spec import MAX_MAP_SIDE, FeatureMap
from trailcam_export.tflite.flatbuffer import read_tflite, write_tflite

OUTPUT_NAME = "feature_map"


def add_feature_map(content: bytes, name: str) -> tuple[bytes, FeatureMap]:
    """Return a file with its feature map as the second output, and the size of that.

    Args:
        content: one input, one output of scores.
        name: of the variant, for messages.

    Raises:
        ExportError: the network has no feature map.
    """
    model = read_tflite(content)
    graph = model.subgraphs[0]
    index, found = _find(graph, name)
    graph.outputs = [int(graph.outputs[0]), index]
    for signature in model.signatureDefs or []:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = OUTPUT_NAME.encode(), index
        signature.outputs = [*signature.outputs[:1], entry]
    return write_tflite(model), found


def without_feature_map(content: bytes) -> bytes:
    """Return a file with its first output alone; one without a feature map is returned as it is."""
    model = read_tflite(content)
    graph = model.subgraphs[0]
    if len(graph.outputs) < 2:
        return content
    graph.outputs = [int(graph.outputs[0])]
    for signature in model.signatureDefs or []:
        signature.outputs = signature.outputs[:1]
    return write_tflite(model)


def _find(graph: Any, name: str) -> tuple[int, FeatureMap]:
    """Return the index of the feature map, found from the scores backwards, and its size."""
    made_by = {int(output): operator for operator in graph.operators for output in operator.outputs}
    index = int(graph.outputs[0])
    while index in made_by:
        computed = [int(item) for item in made_by[index].inputs if int(item) in made_by]
        shape = [int(size) for size in graph.tensors[index].shape]
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            if max(shape[1:3]) > MAX_MAP_SIDE:
                break
            return index, FeatureMap(*shape[1:])
        if not computed:
            break
        index = computed[0]
    raise ExportError(
        f"{name}: the network has no feature map of several places in front of its scores, so --zoom cannot be. "
        "Leave it out, or train a network of convolutions."
    )
