"""Keyword options of the stages as functions; each may be left out, and None leaves it out, too."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from trailcam_core.spec import FITS

if TYPE_CHECKING:
    from trailcam_core.inference.tflite import ValueRange
    from trailcam_export.foreign.foreign_run import ForeignModel
    from trailcam_export.onnx_model.scaling import Channels
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

    split: Path | str | None
    label_map: str | None
    group_by: str | None
    others: Path | str | None
    negatives: Path | str | None
    earlier: "Path | str | Earlier | None"


class ExportOptions(TypedDict, total=False):
    """Keyword options of ``export``.

    Attributes:
        labels: text file of a foreign model, one label per line in the order of its outputs.
        input_range: input values of pixel levels 0 and 255, for a foreign model that does not state them.
        mean: of an ONNX model, with ``std`` and in place of ``input_range``: the numbers that training subtracted from
            red, green and blue, of values 0 to 1 or of levels 0 to 255.
        std: the numbers that divided red, green and blue after that.
        fit: rule of a foreign model's training for other aspect ratios: ``crop``, ``letterbox`` or ``stretch``, the
            default.
        name: of the bundles; by default that of the run or of the file.
        version: of the bundles, as X.Y.Z; 1.0.0 by default.
        others: folder of out-of-distribution pictures, to evaluate "unknown".
        gate: criteria of the drift gate, a name or a TOML file as for ``--gate``.
        earlier: of a run that took an earlier one up: the earlier int8 bundle, whose frozen part is kept; by default
            the one in ``out``, if it is there.
    """

    labels: Path | str | None
    input_range: "ValueRange | None"
    mean: Sequence[float] | None
    std: Sequence[float] | None
    fit: str | None
    name: str | None
    version: str | None
    others: Path | str | None
    gate: str | None
    earlier: Path | str | None


_OF_FOREIGN_MODELS = ("input_range", "mean", "std", "fit")


def check_options(options: Mapping[str, object], known: type) -> None:
    """Refuse options that a stage does not have.

    Raises:
        TypeError: with the valid ones.
    """
    valid = sorted(known.__annotations__)
    unknown = sorted(set(options) - set(valid))
    if unknown:
        raise TypeError(f"no option {unknown[0]!r}, expected one of {', '.join(valid)}")


def foreign_model_of(model: Path, options: ExportOptions) -> "ForeignModel | None":
    """Return the foreign model that the options of ``export`` describe; None for a run, which states no ``labels``.

    Raises:
        ValueError: options that contradict each other, or a value that none of them takes.
    """
    labels = path_of(options.get("labels"))
    if labels is None:
        given = [name for name in _OF_FOREIGN_MODELS if options.get(name) is not None]
        if given:
            raise ValueError(f"{given[0]}: belongs to a foreign model, which needs labels; a run has its own")
        return None
    from trailcam_export.foreign.foreign_run import ForeignModel

    fit = options.get("fit")
    if fit is not None and fit not in FITS:
        raise ValueError(f"fit is {fit!r}, expected one of {', '.join(FITS)}")
    statistics = _statistics_of(options)
    found = ForeignModel(model, labels, fit or "stretch", options.get("input_range"), statistics)
    if statistics is not None and not found.is_onnx:
        raise ValueError("mean and std are for an ONNX model; put them into a Keras model as a Normalization layer")
    return found


def _statistics_of(options: ExportOptions) -> "tuple[Channels, Channels] | None":
    mean, std = options.get("mean"), options.get("std")
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise ValueError("mean and std go together: name both")
    if options.get("input_range") is not None:
        raise ValueError("name either mean and std, or input_range")
    return _channels_of("mean", mean), _channels_of("std", std)


def _channels_of(name: str, numbers: Sequence[float]) -> "Channels":
    if len(numbers) != 3:
        raise ValueError(f"{name} is {numbers!r}, expected three numbers, one for red, green and blue")
    red, green, blue = map(float, numbers)
    return red, green, blue


def path_of(given: Path | str | None) -> Path | None:
    """Return a path, or None where none was given."""
    return None if given is None else Path(given)
