"""Train for the field: prepare a data folder with negatives and device crops beside the run, then train on it."""

import logging
from dataclasses import replace
from pathlib import Path

from trailcam_core.classifier import Classifier
from trailcam_core.datasets.run_directory import REVIEWS_FILE, Run, read_split
from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import write_file
from trailcam_core.inference.native_log import quiet_native_log
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.data.class_names import choose_label_map
from trailcam_train.data.dataset import list_class_folders
from trailcam_train.field.negatives import (
    Suspect,
    check_scenes,
    describe_suspects,
    find_negatives,
    find_suspects,
    suspects_to_csv,
)
from trailcam_train.field.prepare import SPLIT_FILE, Division, prepare_field_data
from trailcam_train.recipes.find import fetch_weights
from trailcam_train.retraining.reviews import prepared_reviews
from trailcam_train.run.partial_run import check_free
from trailcam_train.run.training import TrainingRequest, start_training

_SUFFIX = ".data"
SUSPECTS_FILE = "suspects.csv"

_log = logging.getLogger(__name__)


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
    fetch_weights(recipe, progress)  # without a network this fails now, and not after the pictures are cut out
    if not target.exists():
        label_map = choose_label_map(list_class_folders(request.data), request.label_map)
        division = Division(recipe.seed, recipe.validation, recipe.test)
        suspects = _find_suspects(negatives, progress)
        prepare_field_data(request.data, label_map, negatives, target, recipe.field, division, progress)
        reviews = prepared_reviews(request.data, negatives, read_split(target / SPLIT_FILE))
        if reviews:
            write_file(target / REVIEWS_FILE, reviews)
        if suspects:
            write_file(target / SUSPECTS_FILE, suspects_to_csv(suspects))
            _log.warning("%s. All are listed in %s.", describe_suspects(suspects), target / SUSPECTS_FILE)
    return start_training(replace(request, data=target, split=target / SPLIT_FILE, label_map="none"), progress)


def _find_suspects(negatives: Path, progress: Progress) -> tuple[Suspect, ...]:
    """Return the negatives that the built-in bundle names: some may hold an animal.

    Raises:
        DataError: a folder that cannot be used, or negatives of one scene.
    """
    listed = find_negatives(negatives)
    check_scenes(listed)
    with quiet_native_log():
        classifier = Classifier.open()
    return find_suspects(listed, classifier.classify, progress)
