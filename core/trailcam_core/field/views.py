"""Figures of the test split by kind of view: photographs, device crops, other animals, nothing.

A data folder of ``trailcam train --negatives`` has its views in folders, ``LABEL/crops/`` among them, and in
``groups.json`` which pictures belong together: the scene of a crop, the kind of another animal, the place of an empty
picture. Intervals resample these groups.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError, reason_of
from trailcam_core.inference.decision import is_named
from trailcam_core.spec import FieldFigures, FieldRow, OutputSpec
from trailcam_core.statistics.clustered import cluster_rate

GROUPS_FILE = "groups.json"
CROPS = "crops"
PICTURE_ROWS = (
    "photographs",
    "device crops",
    "other animals: photographs",
    "other animals: device crops",
    "nothing: whole pictures",
    "nothing: crops",
)
_MAX_GROUPS_BYTES = 500_000_000

Floats = npt.NDArray[np.floating]


def is_crop(row: SplitRow) -> bool:
    """Return whether a picture is a device crop."""
    return row.file.split("/")[1:2] == [CROPS]


def read_groups(data: Path) -> dict[str, str]:
    """Return the group of each picture of a data folder by its file; none without ``groups.json``.

    Raises:
        DataError: the file cannot be read as such a table.
    """
    path = data / GROUPS_FILE
    if not path.is_file():
        return {}
    try:
        table = json.loads(path.read_bytes()) if path.stat().st_size <= _MAX_GROUPS_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({reason_of(error)}).") from error
    if not isinstance(table, dict) or not all(isinstance(group, str) for group in table.values()):
        raise DataError(f"{path}: expected a table of files and their groups, as a preparation writes it.")
    return table


def field_figures(
    rows: Sequence[SplitRow], logits: Floats, output: OutputSpec, rule: tuple[str, float], groups: Mapping[str, str]
) -> FieldFigures | None:
    """Return the figures of a test split; None if its labels are all answers, so that it has no views of a field.

    Args:
        rows: N pictures of the test split.
        logits: (N, K) of the model.
        output: labels, and which are never an answer.
        rule: score and threshold of the reject rule.
        groups: of ``read_groups``; a picture without one is its own group.
    """
    if len(output.known_ids) == len(output.labels) or not rows:
        return None
    named = is_named(logits, output, *rule)
    answers = logits.argmax(axis=-1)
    found: dict[str, list[tuple[str, float, float]]] = {}
    for row, is_answer, answer in zip(rows, named, answers, strict=True):
        right = float(is_answer and output.labels[int(answer)] == row.label)
        found.setdefault(_view(row, output), []).append((groups.get(row.file, row.file), right, float(is_answer)))
    return FieldFigures(tuple(_row(name, found[name]) for name in PICTURE_ROWS if name in found))


def _view(row: SplitRow, output: OutputSpec) -> str:
    kind = 4 if row.label in output.blank_labels else 2 if row.label in output.unknown_labels else 0
    return PICTURE_ROWS[kind + is_crop(row)]


def _row(name: str, counts: Sequence[tuple[str, float, float]]) -> FieldRow:
    has_truth = name in PICTURE_ROWS[:2]
    return FieldRow(
        name=name,
        unit="pictures",
        n=len(counts),
        groups=len({group for group, _, _ in counts}),
        right=cluster_rate((group, right, 1.0) for group, right, _ in counts) if has_truth else None,
        wrong=cluster_rate((group, answered - right, 1.0) for group, right, answered in counts),
    )
