"""Write TFLite Metadata, which MediaPipe Tasks, Android's code generator and viewers read from a ``.tflite`` file.

The model's own flatbuffer names a buffer ``TFLITE_METADATA``; in it lies a second flatbuffer, a ``ModelMetadata``
table. Files that it names (labels) are appended to the model as a zip archive. Interpreters read neither.

The table is built slot by slot, because the one package that shipped a builder for it (``tflite-support``) has had no
release since 2023 and no wheel for Python 3.12. Only the few fields that classifiers need are written.

Source: ``metadata_schema.fbs`` (schema version 1.5.0, identifier M001), github.com/google-ai-edge/mediapipe,
mediapipe/tasks/metadata; "Pack the associated files" in the TensorFlow Lite guide to model metadata.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from trailcam_export.tflite.flatbuffer import read_tflite, write_tflite

METADATA_NAME = b"TFLITE_METADATA"
LABELS_FILE = "labels.txt"
_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"  # of the fields that are written: all are in the first version of the schema
_DESCRIPTIONS, _TENSOR_AXIS_LABELS = 1, 2  # enum AssociatedFileType
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES = 1, 2  # union ContentProperties
_NORMALIZATION_OPTIONS = 1  # union ProcessUnitOptions
_RGB = 1  # enum ColorSpaceType
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is written

_Offset = int


def add_tflite_metadata(
    content: bytes,
    name: str,
    version: str,
    input_size: tuple[int, int],
    labels: Sequence[str],
    extra: Mapping[str, bytes],
) -> bytes:
    """Return a TFLite file with metadata and label file; metadata it had before is replaced.

    Args:
        content: one uint8 RGB input, one output of scores.
        name: of the model.
        version: of the model.
        input_size: height and width in pixels.
        labels: in the order of the scores.
        extra: further files to append, by name.
    """
    model = read_tflite(content)
    entries = [entry for entry in model.metadata or [] if bytes(entry.name) != METADATA_NAME]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_model_metadata(name, version, input_size, sorted(extra)), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers) - 1
    model.metadata = [*entries, entry]
    files = {LABELS_FILE: "".join(f"{label}\n" for label in labels).encode(), **extra}
    return write_tflite(model) + _archive(files)


def _archive(files: Mapping[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content)
    return memory.getvalue()


def _model_metadata(name: str, version: str, input_size: tuple[int, int], extra: Sequence[str]) -> bytes:
    builder = flatbuffers.Builder(1024)
    files = [_file(builder, item, "what the model takes and gives", _DESCRIPTIONS) for item in extra]
    graph = _table(
        builder,
        5,  # SubGraphMetadata
        {2: _vector(builder, [_input_tensor(builder, input_size)]), 3: _vector(builder, [_output_tensor(builder)])},
    )
    root = _table(
        builder,
        8,  # ModelMetadata
        {
            0: builder.CreateString(name),
            1: builder.CreateString("Classifies a picture. Scores are logits: take the softmax for probabilities."),
            2: builder.CreateString(version),
            3: _vector(builder, [graph]),
            6: _vector(builder, files),
            7: builder.CreateString(_PARSER_VERSION),
        },
    )
    builder.Finish(root, file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _input_tensor(builder: flatbuffers.Builder, input_size: tuple[int, int]) -> _Offset:
    height, width = input_size
    builder.StartObject(2)  # ImageSize
    builder.PrependUint32Slot(0, width, 0)
    builder.PrependUint32Slot(1, height, 0)
    size = builder.EndObject()
    image = _table(builder, 2, {1: size}, {0: _RGB})  # ImageProperties
    # mean 0 and deviation 1: the model takes the pixel levels as they are, normalisation is inside
    options = _table(builder, 2, {0: _floats(builder, [0.0]), 1: _floats(builder, [1.0])})  # NormalizationOptions
    unit = _table(builder, 2, {1: options}, {0: _NORMALIZATION_OPTIONS})  # ProcessUnit
    stats = _table(builder, 2, {0: _floats(builder, [255.0]), 1: _floats(builder, [0.0])})  # Stats
    return _table(
        builder,
        7,  # TensorMetadata
        {
            0: builder.CreateString("image"),
            1: builder.CreateString("RGB picture, levels 0 to 255."),
            3: _content(builder, image, _IMAGE_PROPERTIES),
            4: _vector(builder, [unit]),
            5: stats,
        },
    )


def _output_tensor(builder: flatbuffers.Builder) -> _Offset:
    properties = _table(builder, 0, {})  # FeatureProperties
    labels = _file(builder, LABELS_FILE, "names of the scores, one per line", _TENSOR_AXIS_LABELS)
    return _table(
        builder,
        7,  # TensorMetadata
        {
            0: builder.CreateString("logits"),
            1: builder.CreateString("A score for each label, before softmax."),
            3: _content(builder, properties, _FEATURE_PROPERTIES),
            6: _vector(builder, [labels]),
        },
    )


def _content(builder: flatbuffers.Builder, properties: _Offset, kind: int) -> _Offset:
    return _table(builder, 3, {1: properties}, {0: kind})


def _file(builder: flatbuffers.Builder, name: str, description: str, kind: int) -> _Offset:
    return _table(builder, 5, {0: builder.CreateString(name), 1: builder.CreateString(description)}, {2: kind})


def _table(
    builder: flatbuffers.Builder, slots: int, offsets: Mapping[int, _Offset], numbers: Mapping[int, int] | None = None
) -> _Offset:
    """Write a table of ``slots`` fields: ``offsets`` by slot to what was written before, ``numbers`` of one byte."""
    builder.StartObject(slots)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in (numbers or {}).items():
        builder.PrependUint8Slot(slot, number, 0)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, offsets: Sequence[_Offset]) -> _Offset:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: flatbuffers.Builder, values: Sequence[float]) -> _Offset:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return int(builder.EndVector())
