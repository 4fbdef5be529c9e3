"""Ranges of the activations of an int8 file, from the least and the greatest value that each takes on every picture.

Input and output have the whole range seen: a pixel level must be one step, and no logit may be clipped. Between them
one value of one picture may make the step of all others larger, so narrower ranges are tried, too: bounds that a
fraction of the pictures keeps. ``docs/adr/0020-bias-correction.md`` has the measurements.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_export.tflite.flatbuffer import read_tflite

KEPT_FRACTIONS = (1.0, 0.97, 0.9)  # of the pictures
_LOWS, _HIGHS = "lows", "highs"


def collect(seen: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Add what a tensor took on one picture; a callback of ``litert-quantizer``'s calibrator.

    Args:
        seen: ``min`` and ``max`` over the pictures before, and their own by picture; changed.
        new: ``min`` and ``max`` of this picture.
    """
    if not seen:
        return new
    for name, by_picture, least in (("min", _LOWS, np.minimum), ("max", _HIGHS, np.maximum)):
        seen.setdefault(by_picture, [seen[name]]).append(new[name])
        seen[name] = least(seen[name], new[name])
    return seen


def choose_ranges(content: bytes, collected: Mapping[str, dict[str, Any]], fraction: float) -> dict[str, Any]:
    """Return the range of each tensor, ``min`` and ``max`` as the quantiser takes them.

    Args:
        content: the float file that was calibrated.
        collected: by tensor, as ``collect`` leaves them.
        fraction: of the pictures whose values stay within either bound; 1 for the whole range.
    """
    graph = read_tflite(content).subgraphs[0]
    ends = {bytes(graph.tensors[index].name).decode() for index in (*graph.inputs, *graph.outputs)}
    ranges = {}
    for name, seen in collected.items():
        kept = 1.0 if name in ends else fraction
        ranges[name] = {
            "min": np.quantile(_by_picture(seen, "min", _LOWS), 1 - kept, axis=0),
            "max": np.quantile(_by_picture(seen, "max", _HIGHS), kept, axis=0),
        }
    return ranges


def _by_picture(seen: dict[str, Any], name: str, key: str) -> npt.NDArray[np.floating[Any]]:
    return np.stack(seen.get(key, [seen[name]]))
