"""The task of a training job: its pictures at the size of each phase, its teacher, and the network that learns."""

from dataclasses import replace
from pathlib import Path

import keras

from trailcam_core.datasets.run_directory import Run, read_run
from trailcam_train.fitting import streams
from trailcam_train.fitting.feature_distillation import predict_features
from trailcam_train.fitting.phases import Task, check_same_weights
from trailcam_train.fitting.teacher import LiveTeacher, Teacher, open_teacher
from trailcam_train.models.runtime import training_precision
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipes.find import build_network
from trailcam_train.retraining.earlier import EARLIER, EARLIER_SHA256
from trailcam_train.retraining.earlier_answers import open_earlier_teacher
from trailcam_train.retraining.last_layer import load_earlier
from trailcam_train.run.partial_run import TrainingJob


def check_scales(recipe: Recipe, model: keras.Model, class_count: int, precision: str) -> None:
    """Check that the networks of phases on smaller pictures can be built and have the weights of ``model``.

    Raises:
        TrainError: one cannot be built, or its weights depend on the size of the pictures.
    """
    for phase in recipe.phases:
        if phase.epochs and phase.scale < 1:
            sized = replace(recipe.at_scale(phase.scale), weights="none")
            check_same_weights(phase, model, build_network(sized, class_count, precision))


def open_task(job: TrainingJob, model: keras.Model, teachers: tuple[Run, ...]) -> tuple[keras.Model, Task]:
    """Return the network that learns, which shares its layers with ``model``, and the task of a job.

    Raises:
        TrainError: a teacher cannot be read, or has no features that the recipe asks for.
    """
    teacher = _open_teacher(job, teachers)
    features = teacher.features if isinstance(teacher, LiveTeacher) else 0

    def learner(network: keras.Model) -> keras.Model:
        return predict_features(network, features) if features else network

    def at_scale(scale: float) -> tuple[keras.Model, Task]:
        recipe = replace(job.recipe.at_scale(scale), weights="none")
        precision = job.provenance.get("precision") or training_precision(recipe)
        return learner(build_network(recipe, len(job.labels), precision)), _make_task(job, recipe, teacher)

    return learner(model), replace(_make_task(job, job.recipe, teacher), at_scale=at_scale)


def _make_task(job: TrainingJob, recipe: Recipe, teacher: Teacher | None) -> Task:
    """Return the pictures of a job at the input size of ``recipe``, and its teacher."""
    rows, labels = job.pictures("train"), job.labels
    return Task(
        recipe,
        streams.training_stream(recipe, rows, labels, job.data),
        streams.plain_stream(recipe, job.pictures("validation"), labels, job.data),
        streams.class_weights(recipe, rows, labels),
        teacher,
        streams.outlier_stream(recipe, job.outliers, job.ood) if job.outliers and job.ood is not None else None,
    )


def _open_teacher(job: TrainingJob, teachers: tuple[Run, ...]) -> Teacher | None:
    """Return the teacher of a job: stronger runs, or the earlier run where its pictures are gone."""
    rows = job.pictures("train")
    if teachers:
        return open_teacher(teachers, job.data, rows, job.labels, job.recipe)
    if not job.recipe.distillation.teacher:
        return None
    earlier = load_earlier(read_run(Path(job.provenance[EARLIER])), job.provenance[EARLIER_SHA256])
    return open_earlier_teacher(earlier, job.recipe, rows, job.labels, job.data)
