"""``predictions.csv`` of a run: answer and confidence for each validation and test picture.

Writer and reader share this module. No training framework is needed.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import Run, SplitRow
from trailcam_core.errors import TrainError, reason_of

PREDICTIONS_FILE = "predictions.csv"
EARLIER_ANSWERS_FILE = "earlier.csv"
_HEADER = ["file", "split", "class", "answer", "confidence"]


@dataclass(frozen=True)
class Prediction:
    """One answered picture: its row of the split, the label answered and its probability, 0..1."""

    row: SplitRow
    answer: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the answer is correct."""
        return self.answer == self.row.label


def predictions_to_bytes(
    rows: Iterable[SplitRow], probabilities: npt.NDArray[np.floating[Any]], labels: Sequence[str]
) -> bytes:
    """Return the bytes of ``predictions.csv``.

    Args:
        rows: N pictures.
        probabilities: (N, K), after temperature scaling.
        labels: K names.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_HEADER)
    for row, found in zip(rows, probabilities, strict=True):
        writer.writerow([row.file, row.split, row.label, labels[int(found.argmax())], f"{found.max():.6f}"])
    return buffer.getvalue().encode("utf-8")


def read_predictions(run: Run, split: str) -> tuple[Prediction, ...]:
    """Read the answers for every picture of one split, in the order of ``split.csv``.

    Raises:
        TrainError: the file is missing or damaged, or does not answer exactly the pictures of the split.
    """
    path = run.path / PREDICTIONS_FILE
    found = {file: line[1:] for file, line in _read_lines(path).items() if line[0] == split}
    rows = run.pictures(split)
    mismatched = {row.file for row in rows} ^ set(found) or {
        row.file for row in rows if found[row.file][0] != row.label
    }
    unknown = {answer for _, answer, _ in found.values()} - set(run.labels)
    if mismatched or unknown:
        what = (
            f"the label {min(unknown)!r}" if unknown else f"{len(mismatched):,} pictures, such as {min(mismatched)!r}"
        )
        raise TrainError(
            f"{path}: does not fit {'labels.json' if unknown else 'split.csv'} beside it, in {what}. Both are written "
            "by one training: copy the whole folder again."
        )
    return tuple(Prediction(row, *found[row.file][1:]) for row in rows)


def read_earlier_answers(run: Run, labels: Sequence[str]) -> tuple[Prediction, ...]:
    """Read the answers of the earlier run that ``run`` took up, to test pictures that it had not answered itself.

    Args:
        run: the later one.
        labels: of the earlier one.

    Raises:
        TrainError: the file is damaged, or does not fit the run.
    """
    path = run.path / EARLIER_ANSWERS_FILE
    if not path.is_file():
        return ()
    rows = {row.file: row for row in run.pictures("test")}
    found = {file: line[1:] for file, line in _read_lines(path).items() if line[0] == "test"}
    if not set(found) <= set(rows) or {answer for _, answer, _ in found.values()} - set(labels):
        raise TrainError(f"{path}: does not fit split.csv beside it, or the earlier run: copy the whole folder again.")
    return tuple(Prediction(rows[file], answer, confidence) for file, (_, answer, confidence) in found.items())


def _read_lines(path: Path) -> dict[str, tuple[str, str, str, float]]:
    """Return split, true label, answer and confidence by file."""
    try:
        lines = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainError(
            f"{path}: cannot be read ({reason_of(error)}). A finished run has one: copy the whole folder again."
        ) from error
    if not lines or lines[0] != _HEADER:
        raise TrainError(f"{path}: its first line is {lines[0] if lines else 'missing'}, expected {_HEADER}.")
    found = {}
    for number, fields in enumerate(lines[1:], start=2):
        if len(fields) != len(_HEADER):
            raise TrainError(f"{path}: line {number} has {len(fields)} fields, expected {len(_HEADER)}.")
        file, part, label, answer, confidence = fields
        found[file] = (part, label, answer, _read_confidence(confidence, f"{path}: line {number}"))
    return found


def _read_confidence(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise TrainError(f"{where}: confidence is {text[:40]!r}, expected 0 to 1.")
    return value
