"""A model file alone, in others' tools: labels, preprocessing and digest are in it."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from flatbuffers.table import Table

from trailcam_core.spec import InputSpec
from trailcam_export.convert.embedded_metadata import EmbeddedMetadata, embed_onnx_metadata, embed_tflite_metadata
from trailcam_export.convert.to_onnx import convert_onnx_float32
from trailcam_export.convert.to_tflite import convert_float32
from trailcam_export.tflite.metadata import METADATA_NAME

LABELS = ("blue", "grün", "red")
CARD = EmbeddedMetadata("colours", "1.2.3", LABELS, InputSpec(32, 32, "crop"), "a" * 64)


@pytest.fixture(scope="module")
def foreign(tiny: Any) -> bytes:
    return convert_float32(tiny.model)


def _field(table: Table, slot: int, kind: str) -> Any:
    """Read one field as the flatbuffers format says: a string, a table, the first of a vector of tables, or a byte."""
    place = table.Offset(4 + 2 * slot)
    assert place, f"slot {slot} is empty"
    if kind == "byte":
        return table.Bytes[table.Pos + place]
    if kind == "string":
        return bytes(table.String(table.Pos + place)).decode()
    if kind == "table":
        return Table(table.Bytes, table.Indirect(table.Pos + place))
    return Table(table.Bytes, table.Indirect(table.Vector(place)))


def _metadata(content: bytes) -> Table:
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    found = [entry for entry in model.metadata if bytes(entry.name) == METADATA_NAME]
    assert len(found) == 1
    data = bytearray(bytes(model.buffers[found[0].buffer].data))
    assert data[4:8] == b"M001"
    return Table(data, int.from_bytes(data[:4], "little"))


def test_the_metadata_table_says_what_others_read(foreign: bytes) -> None:
    root = _metadata(embed_tflite_metadata(foreign, CARD))
    assert (_field(root, 0, "string"), _field(root, 2, "string"), _field(root, 7, "string")) == (
        "colours",
        "1.2.3",
        "1.0.0",
    )
    graph = _field(root, 3, "vector")
    taken, given = _field(graph, 2, "vector"), _field(graph, 3, "vector")
    content = _field(taken, 3, "table")
    assert _field(content, 0, "byte") == 2  # ImageProperties
    assert _field(_field(content, 1, "table"), 0, "byte") == 1  # RGB
    assert _field(_field(taken, 4, "vector"), 0, "byte") == 1  # NormalizationOptions
    labels = _field(given, 6, "vector")
    assert (_field(labels, 0, "string"), _field(labels, 2, "byte")) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS


def test_labels_and_card_lie_behind_the_model_as_a_zip_archive(foreign: bytes) -> None:
    content = embed_tflite_metadata(foreign, CARD)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("labels.txt").decode().split() == list(LABELS)
        card = json.loads(archive.read("trailcam.json"))
    assert card["labels"] == list(LABELS)
    assert card["input"]["resize"] == "halve_then_bilinear"
    assert card["source_sha256"] == "a" * 64
    assert card["graph_sha256"] == hashlib.sha256(foreign).hexdigest()


def test_a_plain_interpreter_runs_the_file_as_before(foreign: bytes, images: npt.NDArray[np.uint8]) -> None:
    answers = []
    for content in (foreign, embed_tflite_metadata(foreign, CARD)):
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images[:1])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    assert np.array_equal(*answers)


def test_a_card_is_replaced_not_piled_up_and_always_has_the_same_bytes(foreign: bytes) -> None:
    once = embed_tflite_metadata(foreign, CARD)
    assert embed_tflite_metadata(foreign, CARD) == once
    _metadata(embed_tflite_metadata(once, CARD))


def test_an_onnx_file_carries_the_card_in_its_properties(tiny: Any, tmp_path: Path) -> None:
    content = embed_onnx_metadata(convert_onnx_float32(tiny.model), CARD)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map
    assert json.loads(found["trailcam.labels"]) == list(LABELS)
    assert json.loads(found["trailcam.input"])["fit"] == "crop"
    assert (found["trailcam.output"], found["trailcam.source_sha256"]) == ("logits", "a" * 64)
    assert len(found["trailcam.graph_sha256"]) == 64
