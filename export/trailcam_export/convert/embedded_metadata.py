"""Metadata embedded in a model file, so that it is usable without its bundle: labels, preprocessing, provenance.

A TFLite file has it in the form that other tools read: a "TFLite Metadata" flatbuffer, and behind the model a zip
archive with ``labels.txt`` and ``trailcam.json``. An ONNX file has it in ``metadata_props``.

It is embedded before anything is measured, because the measured file is the one that ships; values fitted on the file
(temperature, reject rule) and the file's own digest are therefore not part of it. ``graph_sha256`` is the digest of the
file without the metadata, ``source_sha256`` that of the trained Keras model.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import onnx

from trailcam_core.records import canonical_json
from trailcam_core.spec import InputSpec
from trailcam_export.tflite.metadata import add_tflite_metadata

ONNX_PREFIX = "trailcam."


@dataclass(frozen=True)
class EmbeddedMetadata:
    """``labels`` in the order of the K logits, the input they are for, and the SHA-256 of the trained Keras model."""

    name: str
    version: str
    labels: tuple[str, ...]
    input: InputSpec
    source_sha256: str

    def fields(self, graph: bytes) -> dict[str, Any]:
        """Return plain values; ``graph`` is the file without the metadata."""
        return {
            "name": self.name,
            "version": self.version,
            "labels": list(self.labels),
            "input": vars(self.input),
            "output": "logits",
            "source_sha256": self.source_sha256,
            "graph_sha256": hashlib.sha256(graph).hexdigest(),
        }


def embed_tflite_metadata(content: bytes, metadata: EmbeddedMetadata) -> bytes:
    """Return a TFLite file with the metadata; any interpreter runs it as before."""
    return add_tflite_metadata(
        content,
        name=metadata.name,
        version=metadata.version,
        input_size=(metadata.input.height, metadata.input.width),
        labels=metadata.labels,
        extra={"trailcam.json": canonical_json(metadata.fields(content))},
    )


def embed_onnx_metadata(model: onnx.ModelProto, metadata: EmbeddedMetadata) -> bytes:
    """Return the bytes of an ONNX file with the metadata in its ``metadata_props``."""
    fields = metadata.fields(model.SerializeToString(deterministic=True))
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.producer_name, copy.domain, copy.doc_string = "trailcam", "", ""
    del copy.metadata_props[:]
    texts = {
        f"{ONNX_PREFIX}{key}": value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True)
        for key, value in fields.items()
    }
    onnx.helper.set_model_props(copy, texts)
    return bytes(copy.SerializeToString(deterministic=True))
