"""A model with another last layer, to measure deltas."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from trailcam_core.errors import DeployError


def with_another_head(model: bytes, seed: int) -> bytes:
    """Return a TFLite file whose last fully connected layer has other weights and biases.

    The bytes are noise, which does not compress: a trained head costs at most as much.

    Raises:
        DeployError: the file has no such layer, or its weights are elsewhere.
    """
    graph = schema.Model.GetRootAs(model, 0)
    main = graph.Subgraphs(0)
    kinds = {i: graph.OperatorCodes(i).BuiltinCode() for i in range(graph.OperatorCodesLength())}
    layers = [main.Operators(i) for i in range(main.OperatorsLength())]
    heads = [layer for layer in layers if kinds[layer.OpcodeIndex()] == schema.BuiltinOperator.FULLY_CONNECTED]
    if not heads:
        raise DeployError("the model has no fully connected layer to train anew.")
    changed, chance = bytearray(model), np.random.default_rng(seed)
    for position in range(1, heads[-1].InputsLength()):
        buffer = graph.Buffers(main.Tensors(heads[-1].Inputs(position)).Buffer())
        content = buffer.DataAsNumpy().tobytes() if buffer.DataLength() else model[buffer.Offset() :][: buffer.Size()]
        if not content or model.count(content) != 1:
            raise DeployError("the weights of the model's last layer are not unique in the file.")
        start = model.index(content)
        changed[start : start + len(content)] = chance.bytes(len(content))
    return bytes(changed)
