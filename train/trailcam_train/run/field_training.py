"""Train for the field: prepare a data folder with negatives and device crops beside the run, then train on it."""

from dataclasses import replace
from pathlib import Path

from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import TrainError
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.data.class_names import choose_label_map
from trailcam_train.data.dataset import list_class_folders
from trailcam_train.field.prepare import SPLIT_FILE, Division, prepare_field_data
from trailcam_train.run.partial_run import check_free
from trailcam_train.run.training import TrainingRequest, start_training

_SUFFIX = ".data"


def start_field_training(request: TrainingRequest, negatives: Path, progress: Progress = silent) -> Run:
    """Prepare ``RUN.data`` and train on it; one that an earlier start left is used as it is.

    Args:
        request: of the training; its ``data`` are photographs of the classes alone.
        negatives: pictures without any of the classes, see ``trailcam_train.field.negatives``.
        progress: called for each step.

    Raises:
        DataError, TrainError, OSError: as ``prepare_field_data`` and ``start_training``; a split or groups are named.
    """
    if request.split is not None or request.group_by is not None:
        raise TrainError(
            "--negatives divides pictures, kinds and scenes itself. Leave out --split and --group-by, or train on a "
            "prepared folder with its own split.csv."
        )
    check_free(request.run)
    target = request.run.with_name(request.run.name + _SUFFIX)
    recipe = request.recipe
    if not target.exists():
        label_map = choose_label_map(list_class_folders(request.data), request.label_map)
        division = Division(recipe.seed, recipe.validation, recipe.test)
        prepare_field_data(request.data, label_map, negatives, target, recipe.field, division, progress)
    return start_training(replace(request, data=target, split=target / SPLIT_FILE, label_map="none"), progress)
