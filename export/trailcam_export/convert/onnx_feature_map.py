"""Give an ONNX file its last feature map as a second output, rows and columns first as in a TFLite file."""

import onnx
from onnx import TensorProto, helper, numpy_helper

from trailcam_core.errors import ExportError
from trailcam_core.spec import MAX_MAP_SIDE, FeatureMap

OUTPUT_NAME = "feature_map"
_TO_ROWS_FIRST = (0, 2, 3, 1)


def add_onnx_feature_map(model: onnx.ModelProto, name: str) -> tuple[onnx.ModelProto, FeatureMap]:
    """Return a copy of a file with its feature map as the second output, and the size of that.

    Args:
        model: one input, one output of scores.
        name: of the variant, for messages.

    Raises:
        ExportError: the network has no feature map.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    tensor, shape, reader = _find(copy, name)
    channels_first = _is_channels_first(copy, reader)
    if channels_first:
        shape = [shape[axis] for axis in _TO_ROWS_FIRST]
        node = helper.make_node("Transpose", [tensor], [OUTPUT_NAME], "feature_map", perm=_TO_ROWS_FIRST)
    else:
        node = helper.make_node("Identity", [tensor], [OUTPUT_NAME], "feature_map")
    copy.graph.node.append(node)
    copy.graph.output.append(helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, shape))
    return copy, FeatureMap(*shape[1:])


def _find(model: onnx.ModelProto, name: str) -> tuple[str, list[int], onnx.NodeProto]:
    """Return name and shape of the feature map, found from the scores backwards, and the node that reads it."""
    inferred = onnx.shape_inference.infer_shapes(model)
    shapes = {
        item.name: [int(size.dim_value) for size in item.type.tensor_type.shape.dim]
        for item in inferred.graph.value_info
        if item.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    made_by = {output: node for node in model.graph.node for output in node.output}
    reader = made_by[model.graph.output[0].name]
    while True:
        computed = [item for item in reader.input if item in made_by and made_by[item].op_type != "Constant"]
        if not computed:
            break
        tensor = computed[0]
        shape = shapes.get(tensor, [])
        if len(shape) == 4 and sum(size > 1 for size in shape[1:]) > 1:
            if max(shape[2:] if _is_channels_first(model, reader) else shape[1:3]) > MAX_MAP_SIDE:
                break
            return tensor, shape, reader
        reader = made_by[tensor]
    raise ExportError(
        f"{name}: the network has no feature map of several places in front of its scores, so --zoom cannot be. "
        "Leave it out, or train a network of convolutions."
    )


def _is_channels_first(model: onnx.ModelProto, reader: onnx.NodeProto) -> bool:
    """Return whether the node that reads the map takes the mean over the last two axes of four."""
    if reader.op_type in ("GlobalAveragePool", "GlobalMaxPool", "AveragePool", "MaxPool", "Conv"):
        return True
    axes = [list(attribute.ints) for attribute in reader.attribute if attribute.name == "axes"]
    if len(reader.input) > 1 and reader.op_type.startswith("Reduce"):
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        axes += [numpy_helper.to_array(constants[item]).tolist() for item in reader.input[1:] if item in constants]
    return bool(axes) and sorted(axis % 4 for axis in axes[0]) == [2, 3]
