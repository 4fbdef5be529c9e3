"""Checkpoints: the state that a training needs to resume, each in one file that is complete or missing.

    RUN.partial/
        last.npz     weights, random state and optimizer after the last finished epoch, and the progress
        best.npz     weights with the best validation so far, interpolated at the end of a phase with ``blend``
        start.npz    weights at the start of a phase with ``blend``

Arrays are stored in the order in which Keras lists the variables; a file of another network is refused by their shapes.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import write_file

LAST_FILE = "last.npz"
BEST_FILE = "best.npz"
START_FILE = "start.npz"

Arrays = dict[str, npt.NDArray[Any]]

_BLENDED = "blended"  # the array of best.npz with the phase after which it was interpolated


@dataclass(frozen=True)
class EpochRow:
    """One row of ``history.csv``; epochs count from 1 over all phases, losses are cross-entropy in nats.

    ``loss`` is the training loss (with smoothing, weights and teacher), ``accuracy`` is on augmented pictures; the
    validation figures are without either.
    """

    epoch: int
    phase: str
    learning_rate: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float

    @property
    def score(self) -> tuple[float, float]:
        """The order of epochs: by accuracy, and among equals by the lower loss."""
        return self.validation_accuracy, -self.validation_loss


@dataclass(frozen=True)
class InterpolationRow:
    """The interpolated weights at the end of a phase; this is no epoch, so it has no training loss.

    ``epoch`` is that of the best weights, ``after`` the number of finished epochs.
    """

    epoch: int
    after: int
    phase: str
    blend: float
    validation_loss: float
    validation_accuracy: float

    @property
    def score(self) -> tuple[float, float]:
        """The score that a later epoch has to exceed, as for ``EpochRow``."""
        return self.validation_accuracy, -self.validation_loss


@dataclass(frozen=True)
class State:
    """The progress of a training, in whole epochs.

    ``phase`` is the position of the current phase, ``phase_epoch`` the number of its finished epochs and ``stale`` the
    number of epochs since the last better validation. ``best_epoch`` is 0 before the first.
    """

    phase: int = 0
    phase_epoch: int = 0
    stale: int = 0
    best_epoch: int = 0
    finished: bool = False
    history: tuple[EpochRow, ...] = ()
    blends: tuple[InterpolationRow, ...] = ()

    @property
    def epoch(self) -> int:
        """Finished epochs over all phases."""
        return len(self.history)

    @property
    def best(self) -> EpochRow | InterpolationRow | None:
        """The best epoch so far, or its interpolation at the end of its phase."""
        if self.blends and self.blends[-1].epoch == self.best_epoch:
            return self.blends[-1]
        return self.history[self.best_epoch - 1] if self.best_epoch else None

    @property
    def improved(self) -> bool:
        """Whether the best epoch so far belongs to the current phase."""
        return self.best_epoch > self.epoch - self.phase_epoch

    def with_epoch(self, row: EpochRow) -> "State":
        """Return the state after one more epoch of the same phase."""
        better = self.best is None or row.score > self.best.score
        return replace(
            self,
            phase_epoch=self.phase_epoch + 1,
            stale=0 if better else self.stale + 1,
            best_epoch=row.epoch if better else self.best_epoch,
            history=(*self.history, row),
        )


def save_last(folder: Path, state: State, model: keras.Model, optimizer: keras.optimizers.Optimizer | None) -> None:
    """Write ``last.npz``; the optimizer is left out between phases, which start with a new one.

    Raises:
        OSError: the disk is full or failing; the older checkpoint stays.
    """
    arrays = collect_variables("model", model.variables)
    if optimizer is not None:
        arrays |= collect_variables("optimizer", optimizer.variables)
    text = json.dumps(asdict(state)).encode("utf-8")
    write_arrays(folder / LAST_FILE, {"state": np.frombuffer(text, np.uint8), **arrays})


def load_last(folder: Path) -> tuple[State, Arrays]:
    """Read ``last.npz``: the state, and the arrays for ``put_variables``.

    Raises:
        TrainError: missing or damaged.
    """
    arrays = read_arrays(folder / LAST_FILE)
    try:
        found = json.loads(arrays.pop("state").tobytes())
        rows = {
            "history": tuple(EpochRow(**row) for row in found["history"]),
            "blends": tuple(InterpolationRow(**row) for row in found.get("blends", [])),
        }
        state = State(**{**found, **rows})
    except (KeyError, TypeError, ValueError) as error:
        raise TrainError(f"{folder / LAST_FILE}: not a checkpoint of this version ({error}). Train again.") from error
    return state, arrays


def save_weights(path: Path, model: keras.Model) -> None:
    """Write ``best.npz`` or ``start.npz``.

    Raises:
        OSError: the disk is full or failing; the older checkpoint stays.
    """
    write_arrays(path, collect_variables("model", model.variables))


def load_weights(path: Path, model: keras.Model) -> None:
    """Put the weights of ``best.npz`` or ``start.npz`` into ``model``.

    Raises:
        TrainError: missing, damaged, or of another network.
    """
    put_variables(read_arrays(path), "model", model.variables, path)


def interpolate_best(folder: Path, model: keras.Model, fraction: float, phase: int) -> None:
    """Put start + fraction * (best - start) into ``model`` and write it as the best; a second call changes nothing.

    Integers, such as the state of a random generator, are taken from the best weights.

    Args:
        folder: with ``start.npz`` and ``best.npz``.
        model: of these weights.
        fraction: of the best weights, 0 to 1.
        phase: position of the phase that ends, written to the file, so that a training that is interrupted right
            afterwards does not interpolate again.

    Raises:
        TrainError: a file is missing, damaged, or of another network.
        OSError: the disk is full or failing; the older checkpoint stays.
    """
    best = read_arrays(folder / BEST_FILE)
    if _BLENDED not in best or int(best[_BLENDED]) != phase:
        start = read_arrays(folder / START_FILE)
        put_variables(start, "model", model.variables, folder / START_FILE)
        for name, array in start.items():
            if array.dtype.kind == "f" and name in best:
                best[name] = array + np.float32(fraction) * (best[name] - array)
        best[_BLENDED] = np.array(phase)
        write_arrays(folder / BEST_FILE, best)
    put_variables(best, "model", model.variables, folder / BEST_FILE)


def put_variables(arrays: Arrays, prefix: str, variables: Sequence[keras.Variable], source: Path) -> None:
    """Put stored arrays into the variables they were collected from.

    Raises:
        TrainError: they are of another network.
    """
    stored = [arrays[name] for name in sorted(arrays) if name.startswith(f"{prefix}-")]
    if [array.shape for array in stored] != [tuple(variable.shape) for variable in variables]:
        raise TrainError(
            f"{source}: holds {len(stored)} {prefix} arrays of other shapes than the {len(variables)} of this network. "
            "The recipe changed since it was written: train again."
        )
    for variable, array in zip(variables, stored, strict=True):
        variable.assign(array)


def collect_variables(prefix: str, variables: Sequence[keras.Variable]) -> Arrays:
    """Return copies of the variables, named so that ``put_variables`` finds them."""
    return {f"{prefix}-{number:05d}": keras.ops.convert_to_numpy(variable) for number, variable in enumerate(variables)}


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write a checkpoint.

    Raises:
        OSError: the disk is full or failing; the older checkpoint stays.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # its stub takes the names for allow_pickle
    write_file(path, buffer.getvalue())


def read_arrays(path: Path) -> Arrays:
    """Read a checkpoint.

    Raises:
        TrainError: missing or damaged.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrainError(f"{path}: cannot be read as a checkpoint ({error}). Train again.") from error
