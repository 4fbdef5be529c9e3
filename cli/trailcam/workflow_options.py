"""Keyword options of the stages as functions; each may be left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from trailcam_core.inference.tflite import ValueRange
    from trailcam_train.retraining.earlier import Earlier


class TrainOptions(TypedDict, total=False):
    """Keyword options of ``train``.

    Attributes:
        split: a ``split.csv`` to reuse; not with ``earlier``, which brings its own.
        label_map: ``animals10``, ``none`` or a TOML file of folder = label; without it, detected from the folders.
        group_by: ``folder``, or a CSV file of file and group: pictures of one group stay in one split.
        others: folder of out-of-distribution pictures, to tune and evaluate "unknown".
        negatives: folder of pictures without any of the labels, for a field camera, as for ``--negatives``.
        earlier: run whose network learns from the new pictures too, as for ``--from``; an ``Earlier`` also states
            which layers learn, and how many old pictures are shown again.
    """

    split: Path | str
    label_map: str
    group_by: str
    others: Path | str
    negatives: Path | str
    earlier: "Path | str | Earlier"


class ExportOptions(TypedDict, total=False):
    """Keyword options of ``export``.

    Attributes:
        labels: text file of a foreign model, one label per line in the order of its outputs.
        input_range: input values of pixel levels 0 and 255, for a foreign model that does not state them.
        name: of the bundles; by default that of the run or of the file.
        version: of the bundles, as X.Y.Z; 1.0.0 by default.
        others: folder of out-of-distribution pictures, to evaluate "unknown".
        gate: criteria of the drift gate, a name or a TOML file as for ``--gate``.
        earlier: of a run that took an earlier one up: the earlier int8 bundle, whose frozen part is kept; by default
            the one in ``out``, if it is there.
    """

    labels: Path | str
    input_range: "ValueRange"
    name: str
    version: str
    others: Path | str
    gate: str
    earlier: Path | str


def check_options(options: Mapping[str, object], known: type) -> None:
    """Refuse options that a stage does not have.

    Raises:
        TypeError: with the valid ones.
    """
    valid = sorted(known.__annotations__)
    unknown = sorted(set(options) - set(valid))
    if unknown:
        raise TypeError(f"no option {unknown[0]!r}, expected one of {', '.join(valid)}")


def path_of(given: Path | str | None) -> Path | None:
    """Return a path, or None where none was given."""
    return None if given is None else Path(given)
