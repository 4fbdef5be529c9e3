"""Wrap a Keras or ONNX model that was trained elsewhere, its labels and a folder of images as a run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from trailcam_core.bundle.labels import check_unique, read_labels
from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import ExportError
from trailcam_core.inference.tflite import ValueRange
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_export.convert.variants import Variant
from trailcam_export.keras_model.load_foreign_model import open_foreign_model
from trailcam_export.keras_model.load_run_model import check_trained_model
from trailcam_export.keras_model.split_foreign_data import split_folder
from trailcam_export.onnx_model.open_onnx import OnnxClassifier, open_onnx_model
from trailcam_export.onnx_model.scaling import Channels, Scaling, from_range, from_statistics

_SPLIT_NOTE = (
    "calibration, validation and test pictures were split from the given folder by this export; which of them trained "
    "the model is not known, so what was measured may be too good"
)


@dataclass(frozen=True)
class ForeignModel:
    """The model file and its label file.

    ``fit`` is the rule of its training for other aspect ratios; ``value_range`` are the input values of pixel levels 0
    and 255, if the file does not state them. ``statistics`` are mean and deviation of the channels, for an ONNX model
    in place of a range.
    """

    model: Path
    labels: Path
    fit: str = "stretch"
    value_range: ValueRange | None = None
    statistics: tuple[Channels, Channels] | None = None

    @property
    def is_onnx(self) -> bool:
        """Whether the file is an ONNX model, by its suffix."""
        return self.model.suffix.lower() == ".onnx"

    @property
    def scaling(self) -> Scaling | None:
        """The stated scaling of an ONNX model.

        Raises:
            ExportError: the statistics are not usable.
        """
        if self.statistics is not None:
            return from_statistics(*self.statistics)
        return None if self.value_range is None else from_range(self.value_range)

    @property
    def pixel_range(self) -> str:
        """The stated range, or mean and deviation, as a text; empty if none is stated."""
        stated = self.statistics or self.value_range
        return "" if stated is None else str(stated)

    def check_variants(self, variants: Sequence[Variant]) -> None:
        """Refuse TFLite variants of an ONNX model.

        Raises:
            ExportError: naming them.
        """
        lacking = [variant.name for variant in variants if variant.format != "onnx"]
        if self.is_onnx and lacking:
            raise ExportError(
                f"{self.model}: an ONNX model becomes ONNX bundles alone, not {', '.join(lacking)}. Leave --variants "
                "out, or name onnx-float32, onnx-float16, onnx-int8."
            )


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """A run of a foreign model, without pictures yet; the rebuilt model; notes for the user."""

    run: Run
    model: keras.Model | OnnxClassifier
    notes: tuple[str, ...]


def open_foreign_run(foreign: ForeignModel, data: Path | None, progress: Progress = silent) -> OpenedRun:
    """Open the model and its labels, and check everything that needs no picture.

    Raises:
        BundleError: the label file cannot be read, or a label occurs twice.
        ExportError: no ``data``, or the model cannot be loaded, is no image classifier of these labels, or does not
            state its range.
    """
    if data is None:
        raise ExportError("A foreign --model needs --data DIR, with a folder of pictures for each of its labels.")
    _check_file(foreign.model)
    labels = read_labels(foreign.labels)
    check_unique(labels, str(foreign.labels))
    progress("opening the trained model", 0, 1)
    model: keras.Model | OnnxClassifier
    notes: tuple[str, ...] = ()
    if foreign.is_onnx:
        model = open_onnx_model(foreign.model, labels, foreign.scaling)
        spec = InputSpec(model.input_shape[1], model.input_shape[2], foreign.fit)
    else:
        model, notes = open_foreign_model(foreign.model, labels, foreign.value_range)
        spec = InputSpec(model.input_shape[1], model.input_shape[2], foreign.fit)
        check_trained_model(model, foreign.model, spec, labels)
    progress("opening the trained model", 1, 1)
    run = Run(
        path=foreign.model.with_suffix(""),
        labels=labels,
        input=spec,
        rows=(),
        recipe={"name": "plain model"},
        metrics={},
        provenance={"data": str(data), "weights": foreign.model.name, "split": _SPLIT_NOTE},
    )
    return OpenedRun(run, model, notes)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ExportError(f"{path}: no such file. Name the .keras, .h5 or .onnx file of the trained model.")
    if path.suffix.lower() == ".tflite":
        raise ExportError(
            f"{path}: a TFLite file is converted already. Name the Keras or ONNX model behind it, or run it as "
            'it is: "trailcam classify --model FILE --labels FILE".'
        )


def split_foreign_run(opened: OpenedRun, data: Path, progress: Progress = silent) -> tuple[Run, tuple[str, ...]]:
    """Return the run with a new split of ``data``, and notes for the user.

    Raises:
        ExportError: the folder does not fit the labels, or its pictures are too few.
    """
    run = opened.run
    rows, notes = split_folder(data, run.labels, run.input, progress)
    return replace(run, rows=rows), (*opened.notes, _SPLIT_NOTE, *notes)
