"""See a Keras model that was trained elsewhere, its labels and a folder of pictures as a run: one export for both."""

from dataclasses import dataclass
from pathlib import Path

from trailcam_edge.errors import ExportError
from trailcam_edge.interpreters import ValueRange
from trailcam_edge.labels import check_unique, read_labels
from trailcam_edge.manifest import InputSpec
from trailcam_edge.progress import Progress, silent
from trailcam_edge.run_directory import Run
from trailcam_export.plain_data import split_folder
from trailcam_export.trained import load_keras

__all__ = ["PlainModel", "read_plain_run"]

_SPLIT_NOTE = (
    "calibration, validation and test pictures were split from the given folder by this export; which of them trained "
    "the model is not known, so what was measured may be too good"
)


@dataclass(frozen=True)
class PlainModel:
    """The model file and its label file.

    ``fit`` is how pictures of another aspect were fitted in training, ``value_range`` what pixel levels 0 and 255 were,
    where the file does not say.
    """

    model: Path
    labels: Path
    fit: str = "stretch"
    value_range: ValueRange | None = None


def read_plain_run(plain: PlainModel, data: Path | None, progress: Progress = silent) -> tuple[Run, tuple[str, ...]]:
    """Return a run around the model, with a fresh split of ``data``, and what a person must know of it.

    Raises:
        BundleError: the label file cannot be read, or a label stands twice.
        ExportError: the model cannot be loaded or takes no pictures, or the folder does not fit the labels.
    """
    if data is None:
        raise ExportError("A plain --model needs --data DIR, with a folder of pictures for each of its labels.")
    labels = read_labels(plain.labels)
    check_unique(labels, str(plain.labels))
    shape = tuple(load_keras(plain.model).inputs[0].shape)
    if len(shape) != 4 or not all(isinstance(side, int) for side in shape[1:3]):
        raise ExportError(f"{plain.model}: takes {shape}, expected (None, height, width, 3) with fixed sizes.")
    spec = InputSpec(int(shape[1]), int(shape[2]), plain.fit)
    rows, unreadable = split_folder(data, labels, spec, progress)
    notes = [_SPLIT_NOTE]
    if unreadable:
        notes.append(f"{unreadable} files of {data.name} do not decode and were left out")
    run = Run(
        path=plain.model.with_suffix(""),
        labels=labels,
        input=spec,
        rows=rows,
        recipe={"name": "plain model"},
        metrics={},
        provenance={"data": str(data), "weights": plain.model.name, "split": _SPLIT_NOTE},
    )
    return run, tuple(notes)
