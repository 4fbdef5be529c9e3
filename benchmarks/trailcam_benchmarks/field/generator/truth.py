"""Ground truth of generated clips as JSON lines: one record of a clip, then one of each of its frames."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from trailcam_benchmarks.field.generator.clip import ClipFrame
from trailcam_benchmarks.field.generator.clip_settings import ClipSettings

_DECIMALS = 5


def clip_record(name: str, scene: str, cut_outs: Iterable[str], settings: ClipSettings, seed: int) -> dict[str, Any]:
    """Return the record that begins a clip."""
    return {
        "record": "clip",
        "clip": name,
        "scene": scene,
        "cut_outs": list(cut_outs),
        "seed": seed,
        "settings": asdict(settings),
    }


def frame_record(name: str, frame: ClipFrame) -> dict[str, Any]:
    """Return the record of a frame; boxes are x, y, width and height as fractions."""
    return {
        "record": "frame",
        "clip": name,
        "frame": frame.number,
        "time_s": round(frame.time_s, _DECIMALS),
        "animals": [
            {
                "animal": animal.number,
                "label": animal.label,
                "box": [round(value, _DECIMALS) for value in asdict(animal.box).values()],
                "visible_fraction": round(animal.visible_fraction, _DECIMALS),
            }
            for animal in frame.animals
        ],
    }


def to_lines(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield each record as one line of JSON with a line feed."""
    for record in records:
        yield json.dumps(record, sort_keys=True, allow_nan=False) + "\n"
