"""A manifest, and its bytes in the one valid form."""

import json
from typing import Any

from trailcam_core.records import canonical_json
from trailcam_core.spec import (
    Drift,
    GoldenEntry,
    InputSpec,
    Manifest,
    Metrics,
    ModelEntry,
    OutputSpec,
    RejectRule,
)

MANIFEST = Manifest(
    name="two-animals",
    version="1.0.0",
    model=ModelEntry("model.tflite", "a" * 64, 12_345, "tflite", "int8"),
    golden=GoldenEntry("golden.npz", "b" * 64, 6_789, 0.25),
    input=InputSpec(128, 96, "crop"),
    output=OutputSpec(("cat", "roe deer"), 1.5, RejectRule("energy", 3.25, 0.95, 200, None, 0)),
    metrics=Metrics(400, 0.96, 0.94, 0.98, (0.95, 0.97)),
    drift=Drift(400, -0.005, 0.99),
    provenance={"run": "runs/one"},
)


GOLDEN_BYTES = (
    b'{"drift":{"n":400,"top1_agreement":0.99,"top1_delta":-0.005},'
    b'"golden":{"file":"golden.npz","sha256":"' + b"b" * 64 + b'","size_bytes":6789,"tolerance":0.25},'
    b'"input":{"colour":"RGB","dtype":"uint8","fit":"crop","height":128,"layout":"NHWC",'
    b'"resize":"halve_then_bilinear","width":96},'
    b'"metrics":{"n":400,"recall":[0.95,0.97],"top1":0.96,"top1_high":0.98,"top1_low":0.94},'
    b'"model":{"file":"model.tflite","format":"tflite","scheme":"int8","sha256":"' + b"a" * 64 + b'",'
    b'"size_bytes":12345},"name":"two-animals",'
    b'"output":{"kind":"logits","labels":["cat","roe deer"],"reject":{"animals_kept":0.95,"n_animals":200,'
    b'"n_others":0,"others_rejected":null,"score":"energy","threshold":3.25},"temperature":1.5},'
    b'"provenance":{"run":"runs/one"},"schema_version":1,"version":"1.0.0"}\n'
)


def changed(path: str, value: Any) -> bytes:
    """Return a manifest with one field, named with dots, set to ``value``; ``...`` removes it."""
    fields = json.loads(GOLDEN_BYTES)
    *parents, last = path.split(".")
    place = fields
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return canonical_json(fields)
