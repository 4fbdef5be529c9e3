"""Conditions that a new and a resumed training share, checked in the same order by both.

check_start    before any picture of the dataset is read: OOD images, hosts, random state
check_job      once the split is known: leakage, teachers
"""

from pathlib import Path

import keras

from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import TrainError
from trailcam_train.evaluation.ood import check_ood_images
from trailcam_train.fitting.leakage import check_weights
from trailcam_train.fitting.multi_host import check_same_on_hosts, join_hosts
from trailcam_train.fitting.teacher import check_teachers, model_digests
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import recipe_to_toml
from trailcam_train.retraining.earlier import EARLIER
from trailcam_train.run.partial_run import TrainingJob

TEACHER_DIGEST = "teacher_sha256"  # key of the provenance


def check_start(recipe: Recipe, ood: Path | None) -> None:
    """Check the conditions that need no picture of the dataset, and seed the random state of every host.

    Raises:
        DataError: the out-of-distribution images cannot be used.
        TrainError: a host is missing or has another recipe.
    """
    if ood is not None:
        check_ood_images(ood, recipe.input.spec)
    join_hosts()
    keras.utils.set_random_seed(recipe.seed)
    check_same_on_hosts("recipe", recipe_to_toml(recipe))


def check_job(job: TrainingJob) -> tuple[Run, ...]:
    """Check that weights and teachers fit the split, and return the teachers.

    Raises:
        TrainError: weights or a teacher were trained on validation or test pictures, a teacher has other labels, or it
            has changed since the training began.
    """
    check_weights(job.recipe.weights, job.rows)
    teacher = job.recipe.distillation.teacher
    # The earlier run that a training takes up has fewer labels, and answers nothing that its own test split has.
    takes_up = EARLIER in job.provenance
    teachers = check_teachers(teacher, job.labels, job.rows) if teacher and not takes_up else ()
    if teachers and job.provenance.get(TEACHER_DIGEST) not in (None, model_digests(teachers)):
        raise TrainError(
            f"teacher {teacher}: changed since this training began, which cannot continue with another. Put it back, "
            "or train again."
        )
    return teachers
