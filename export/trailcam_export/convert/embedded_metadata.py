"""What travels inside a model file, so that it is whole without its bundle: labels, preprocessing, where it comes from.

A TFLite file carries it as other tools read it: a "TFLite Metadata" flatbuffer, and behind the model a zip archive with
``labels.txt`` and ``trailcam.json``. An ONNX file carries it in ``metadata_props``.

It is put in before anything is measured, because the file that was measured is the file that ships; so what is fitted
on the file (temperature, reject rule) is not in it, and neither is the file's own digest. ``graph_sha256`` is that of
the file before this was put in, ``source_sha256`` that of the trained Keras model.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import onnx

from trailcam_core.spec import InputSpec
from trailcam_core.strict_json import canonical_json
from trailcam_export.tflite.metadata import add_tflite_metadata

__all__ = ["ONNX_PREFIX", "EmbeddedMetadata", "embed_onnx_metadata", "embed_tflite_metadata"]

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
        """Return it as plain values; ``graph`` is the file without it."""
        return {
            "name": self.name,
            "version": self.version,
            "labels": list(self.labels),
            "input": vars(self.input),
            "output": "logits",
            "source_sha256": self.source_sha256,
            "graph_sha256": hashlib.sha256(graph).hexdigest(),
        }


def embed_tflite_metadata(content: bytes, card: EmbeddedMetadata) -> bytes:
    """Return a TFLite file with the card in it; any interpreter runs it as before."""
    return add_tflite_metadata(
        content,
        name=card.name,
        version=card.version,
        input_size=(card.input.height, card.input.width),
        labels=card.labels,
        extra={"trailcam.json": canonical_json(card.fields(content))},
    )


def embed_onnx_metadata(model: onnx.ModelProto, card: EmbeddedMetadata) -> bytes:
    """Return the bytes of an ONNX file with the card in its ``metadata_props``."""
    fields = card.fields(model.SerializeToString(deterministic=True))
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
