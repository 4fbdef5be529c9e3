"""What the finished parts of an export depend on."""

from importlib.metadata import version
from typing import Any

from trailcam_core.files.digest import file_sha256
from trailcam_export.run.plan import ExportPlan

_TOOLS = ("ai-edge-litert", "keras", "litert-quantizer", "onnx", "onnxruntime", "tensorflow", "tf2onnx", "trailcam")


def cache_inputs(plan: ExportPlan) -> dict[str, Any]:
    """Return the inputs that the finished parts of an export depend on, for the key of the cache."""
    candidates = plan.candidates
    rows = (*candidates.pool, *candidates.held_out)
    return {
        "model": plan.model_sha256,
        "labels": list(plan.run.labels),
        "input": vars(plan.run.input),
        "range": plan.pixel_range,
        "rows": [[row.file, row.sha256, row.split, row.label] for row in rows],
        "frames": [frame.sha256 for frame in candidates.frames],
        "others": [file_sha256(path) for path in plan.ood_files],
        "count": candidates.count,
        "quantizer": plan.quantizer,
        "zoom": plan.zoom,
        "kept": plan.kept.model_sha256 if plan.kept is not None else "",
        "bundle": [plan.draft.name, plan.draft.version],
        "tools": {tool: version(tool) for tool in _TOOLS},
    }
