"""Start a training that takes up an earlier run: labels, pictures beside the run, weights, then training as always."""

from dataclasses import dataclass, replace
from pathlib import Path

import keras

from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import TrainError
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.data.splits import count_crossing
from trailcam_train.fitting.data_parallel import data_parallel
from trailcam_train.fitting.multi_host import check_one_host
from trailcam_train.models.runtime import training_precision
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import override
from trailcam_train.recipes.find import build_network, find_recipe
from trailcam_train.retraining.divide import DivisionRule
from trailcam_train.retraining.earlier import (
    Earlier,
    describe_earlier,
    find_old_data,
    join_labels,
    open_earlier,
    retraining_recipe,
)
from trailcam_train.retraining.last_layer import find_head
from trailcam_train.retraining.new_pictures import find_new_data, list_new_pictures
from trailcam_train.retraining.prepare import DATA_SUFFIX, OldPictures, Prepared, prepare_retraining
from trailcam_train.retraining.replay import choose_replay
from trailcam_train.run.lock import locked
from trailcam_train.run.partial_run import TrainingJob, check_free, check_space, create_job, partial_folder
from trailcam_train.run.preconditions import check_job, check_start
from trailcam_train.run.training import TrainingRequest, begin_from_earlier, describe_start, start_outliers, train_job


@dataclass(frozen=True)
class RetrainingRequest:
    """A training to start from an earlier run.

    ``data`` has the new pictures, as ``find_new_data`` reads it, ``run`` is the folder of the finished run.
    ``recipe_name`` and ``settings`` (KEY=VALUE) are as the user gave them; the others are as for ``TrainingRequest``.
    """

    data: Path
    run: Path
    earlier: Earlier
    recipe_name: str | None = None
    settings: tuple[str, ...] = ()
    negatives: Path | None = None
    label_map: str | None = None
    group_by: str | None = None
    ood: Path | None = None


def start_retraining(request: RetrainingRequest, progress: Progress = silent) -> Run:
    """Take an earlier run up, train and return the finished run.

    Raises:
        DataError: the pictures cannot be used.
        TrainError: the earlier run does not fit, its pictures are gone, a label cannot be used, nothing is new, or as
            for ``start_training``.
        OSError: as for ``start_training``.
    """
    check_one_host(f"--from {request.earlier.run}")
    check_free(request.run)
    run, base = open_earlier(request.earlier.run, request.recipe_name)
    old_data = find_old_data(run, request.earlier)
    new_data = find_new_data(request.data, request.negatives, request.label_map, request.group_by)
    new = list_new_pictures(new_data, base.field)
    labels = join_labels(run.labels, (picture.label for picture in new), request.data)
    recipe = _make_recipe(request, base, len(labels))
    check_start(recipe, request.ood)
    precision = training_precision(recipe)
    with data_parallel(recipe) as devices:
        model = build_network(replace(recipe, weights="none"), len(labels), precision)
        check_space(request.run.parent, model.count_params())
        chosen = choose_replay(run.rows, request.earlier.replay, recipe.seed) if old_data is not None else ()
        rule = DivisionRule(recipe.seed, recipe.validation, recipe.test, run.labels, request.earlier.few)
        target = request.run.with_name(request.run.name + DATA_SUFFIX)
        prepared = prepare_retraining(OldPictures(run, old_data, chosen), new, labels, rule, target, progress)
        start = TrainingRequest(target, recipe, request.run, group_by=new_data.group_by, ood=request.ood)
        provenance = {
            **describe_start(start, prepared.dataset, None),
            **_describe(request, run, prepared),
            "precision": precision,
            "devices": str(devices),
        }
        outliers = start_outliers(start, progress)
        job = TrainingJob(
            partial_folder(request.run), target, recipe, labels, prepared.rows, provenance, request.ood, outliers
        )
        check_job(job)
        create_job(job, prepared.dataset.unreadable)
        with locked(job.folder):
            begin_from_earlier(job, model, progress)
            return train_job(job, model, (), progress)


def _make_recipe(request: RetrainingRequest, base: Recipe, class_count: int) -> Recipe:
    """Return the recipe of the training; a network is built to see where its head begins.

    Raises:
        TrainError: an unknown setting, or one that would change what the earlier weights expect.
    """
    network: keras.Model = build_network(replace(base, weights="none"), class_count, "float32")
    head = find_head(network, base.name)
    recipe = override(retraining_recipe(base, find_recipe(base.name).phases, request.earlier, head), request.settings)
    if (recipe.input, recipe.weights) != (base.input, base.weights):
        raise TrainError(
            f"--from {request.earlier.run}: its weights are of {base.input.width}x{base.input.height} px "
            f"({base.input.fit}) and are kept. Leave out --weights and --set input.*, or train without --from."
        )
    if request.earlier.without_data and (recipe.sampling, recipe.class_weights) != ("natural", "none"):
        recipe = replace(recipe, sampling="natural", class_weights="none")  # old labels may have no picture
    return recipe


def _describe(request: RetrainingRequest, run: Run, prepared: Prepared) -> dict[str, str]:
    before = run.provenance.get("dataset") or Path(run.provenance.get("data", "")).name or run.path.name
    return {
        **describe_earlier(run, request.earlier),
        **prepared.facts,
        "dataset": f"{before} and {request.data.resolve().name}",
        "weights": f"of the run {run.path.resolve().name}",
        "near_duplicates_across": str(count_crossing(prepared.rows, prepared.copies, prepared.dataset)),
    }
