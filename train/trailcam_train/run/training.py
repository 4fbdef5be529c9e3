"""From a folder of photographs to a finished run: scan, split, fit, evaluate, report.

Two doors, ``start_training`` and ``resume_training``; both end with the same steps. ``workspace.py`` says what lies in
the folder meanwhile.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np

from trailcam_core.datasets.run_directory import Run, SplitRow, check_pictures, split_to_bytes
from trailcam_core.errors import DataError, TrainError
from trailcam_core.files.atomic import remove_staging, write_file
from trailcam_core.inference.decision import probabilities
from trailcam_core.progress import Progress, silent
from trailcam_train.data.class_names import choose_label_map
from trailcam_train.data.dataset import Dataset, list_class_folders, scan_dataset
from trailcam_train.data.groups import merge_groups, read_groups
from trailcam_train.data.near_duplicates import group_near_duplicates
from trailcam_train.data.splits import check_groups, count_crossing, load_split, make_split
from trailcam_train.evaluation.evaluate import Answers, check_others, judge, read_others
from trailcam_train.evaluation.predictions import PREDICTIONS_FILE, predictions_to_bytes
from trailcam_train.fitting.checkpoints import LAST_FILE, State
from trailcam_train.fitting.data_parallel import data_parallel, on_one_device
from trailcam_train.fitting.leakage import check_weights
from trailcam_train.fitting.loop import Task, fit, predict_logits
from trailcam_train.fitting.multi_host import check_alike, check_together, join_hosts
from trailcam_train.fitting.outliers import check_outliers, choose_outliers
from trailcam_train.fitting.teacher import Teacher, check_teachers, model_digests, open_teacher
from trailcam_train.models.build import build_network, load_network, save_network, training_precision
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import recipe_to_toml
from trailcam_train.reports.run_report import Page, render_report
from trailcam_train.run.lock import locked
from trailcam_train.run.partial_run import (
    Job,
    check_free,
    check_space,
    create_job,
    describe_machine,
    json_bytes,
    now,
    partial_folder,
    publish,
    read_job,
    read_unreadable,
)

__all__ = ["Plan", "resume_training", "start_training"]

_MOST_UNREADABLE = 0.05  # a few broken files happen; more means that something happened to the data
_LISTED = 10  # names in a message or a provenance entry
_REPORT_FILE = "report.html"


@dataclass(frozen=True)
class Plan:
    """A training to start.

    ``data`` has a folder per class, ``run`` is where the finished run will stand. ``label_map`` as for
    ``choose_label_map``, ``split`` an earlier ``split.csv`` to use again; otherwise near-duplicates stay
    together, and with ``group_by`` also what ``read_groups`` makes of it. ``others`` is a folder of pictures of none of
    the labels.
    """

    data: Path
    recipe: Recipe
    run: Path
    label_map: str | None = None
    split: Path | None = None
    group_by: str | None = None
    others: Path | None = None


def start_training(plan: Plan, progress: Progress = silent) -> Run:
    """Train from the beginning and return the finished run.

    Raises:
        DataError: the pictures or the split cannot be used.
        TrainError: the recipe, backbone file or teacher cannot be used, the run exists, or the loss is not finite.
        OSError: the disk is full or failing; the checkpoints of the last finished epoch stay.
    """
    check_free(plan.run)
    label_map = choose_label_map(list_class_folders(plan.data), plan.label_map)
    if plan.others is not None:
        check_others(plan.others, plan.recipe.input.spec)
    _begin_alike(plan.recipe)
    precision = training_precision(plan.recipe)
    with data_parallel(plan.recipe) as devices:
        # Before the pictures are looked at: a wrong weights file shows now.
        model = build_network(plan.recipe, len(set(label_map.values())), precision)
        check_space(plan.run.parent, model.count_params())
        dataset = scan_dataset(plan.data, label_map, progress)
        _check_unreadable(dataset)
        rows, groups = _make_rows(plan, dataset, progress)
        check_weights(plan.recipe.weights, rows)
        outliers = _choose_outliers(plan, progress)
        provenance = {
            **_provenance(plan, dataset),
            "near_duplicates_across": str(count_crossing(rows, groups, dataset)),
            "precision": precision,
            "devices": str(devices),
        }
        folder = partial_folder(plan.run)
        job = Job(folder, plan.data, plan.recipe, dataset.labels, rows, provenance, plan.others, outliers)
        teachers = _find_teachers(job)
        if teachers:
            job = replace(job, provenance={**job.provenance, "teacher_sha256": model_digests(teachers)})
        create_job(job, dataset.unreadable)
        with locked(job.folder):
            return _work(job, model, _open_teacher(job, teachers), progress)


def resume_training(
    run: Path, progress: Progress = silent, data: Path | None = None, others: Path | None = None
) -> Run:
    """Go on with a training that was stopped and return the finished run.

    Args:
        run: the run, or its ``.partial`` folder.
        progress: told of each step.
        data: where the pictures are now, if they were moved.
        others: where the pictures of none of the labels are now, if they were moved.

    Raises:
        DataError: the pictures are not those that the split was made of.
        TrainError: nothing to go on with, begun on another backend, or as for ``start_training``.
        OSError: as for ``start_training``.
    """
    folder = partial_folder(run)
    if not folder.is_dir():
        finished = folder.with_suffix("")
        done = f'It is finished: convert it with "trailcam export {finished}".' if finished.is_dir() else ""
        raise TrainError(f"{folder}: no unfinished run to go on with. {done or 'Check the name.'}")
    with locked(folder):
        remove_staging(folder)  # a kill may have come while a checkpoint was written
        job = read_job(folder, data, others)
        if (folder / _REPORT_FILE).exists():
            return publish(folder)  # it was stopped between the last file and the rename
        _check_backend(job, run)
        check_pictures(job.rows, job.data, progress)
        if job.others is not None:
            check_others(job.others, job.recipe.input.spec)
        if job.outliers and job.others is not None:
            check_outliers(job.outliers, job.others, job.recipe.input.spec, progress)
        teachers = _find_teachers(job)
        if teachers and job.provenance.get("teacher_sha256") not in (None, model_digests(teachers)):
            raise TrainError(
                f"teacher {job.recipe.distillation.teacher}: changed since this training began, which cannot go on "
                "with another. Put it back, or train again."
            )
        _begin_alike(job.recipe)
        begun = (folder / LAST_FILE).exists()  # then the weights come from there and the backbone file is not needed
        recipe = replace(job.recipe, weights="none") if begun else job.recipe
        precision = job.provenance.get("precision") or training_precision(recipe)
        with data_parallel(recipe):
            model = build_network(recipe, len(job.labels), precision)
            return _work(job, model, _open_teacher(job, teachers), progress)


def _begin_alike(recipe: Recipe) -> None:
    """Start from the recipe's seed, on every host that trains along."""
    join_hosts()
    keras.utils.set_random_seed(recipe.seed)
    check_alike("recipe", recipe_to_toml(recipe))


def _work(job: Job, model: keras.Model, teacher: Teacher | None, progress: Progress) -> Run:
    check_alike("split", split_to_bytes((*job.rows, *job.outliers)))
    check_together(job.folder)
    validation = job.plain_stream("validation")
    task = Task(job.recipe, job.training_stream(), validation, job.class_weights(), teacher, job.outlier_stream())
    state = fit(model, task, job.folder, progress)
    save_network(model, job.recipe, job.folder / "model.keras")
    with on_one_device():
        _evaluate(job, state, progress)
    return publish(job.folder)


def _evaluate(job: Job, state: State, progress: Progress) -> None:
    """Judge the file that was saved, not the model in memory, and write what people and exports read."""
    model = load_network(job.folder / "model.keras")
    validation = Answers(*predict_logits(model, job.plain_stream("validation"), progress))
    test = Answers(*predict_logits(model, job.plain_stream("test"), progress))
    others = None
    if job.others is not None:
        others = read_others(model, job.others, job.recipe.input.spec, progress)
    metrics = judge(job.labels, validation, test, others)
    if state.blends:
        metrics["blends"] = [asdict(row) for row in state.blends]
    provenance = {
        **job.provenance,
        "finished": now(),
        "epochs": str(state.epoch),
        "best_epoch": str(state.best_epoch),
        "training_seconds": f"{sum(row.seconds for row in state.history):.0f}",
    }
    rows = (*job.of("validation"), *job.of("test"))
    write_file(job.folder / "metrics.json", json_bytes(metrics))
    shares = probabilities(np.concatenate([validation.logits, test.logits]), metrics["temperature"])
    write_file(job.folder / PREDICTIONS_FILE, predictions_to_bytes(rows, shares, job.labels))
    write_file(job.folder / "provenance.json", json_bytes(provenance))
    page = Page(
        name=job.name,
        recipe=job.recipe,
        labels=job.labels,
        metrics=metrics,
        history=state.history,
        provenance=provenance,
        unreadable=read_unreadable(job.folder),
        data=job.data,
        rows=rows,
        validation=validation,
        test=test,
        model=model,
    )
    write_file(job.folder / _REPORT_FILE, render_report(page).encode("utf-8"))


def _check_unreadable(dataset: Dataset) -> None:
    broken, total = len(dataset.unreadable), len(dataset.unreadable) + len(dataset.pictures)
    if broken > _MOST_UNREADABLE * total:
        listed = "\n".join(f"  {item.file}: {item.reason}" for item in dataset.unreadable[:_LISTED])
        more = f"\n  and {broken - _LISTED:,} more" if broken > _LISTED else ""
        raise DataError(
            f"{dataset.root}: {broken:,} of {total:,} pictures cannot be read, expected at most {_MOST_UNREADABLE:.0%}:"
            f'\n{listed}{more}\nSee all of them with "trailcam data check {dataset.root}".'
        )


def _make_rows(plan: Plan, dataset: Dataset, progress: Progress) -> tuple[tuple[SplitRow, ...], tuple[int, ...]]:
    """Return the split, and the group of near-duplicates of each picture of ``dataset``."""
    stated = None if plan.group_by is None else read_groups(plan.group_by, dataset)
    earlier = None if plan.split is None else load_split(plan.split, dataset)
    if plan.split is not None and earlier is not None and stated is not None:
        check_groups(plan.split, earlier, stated, dataset)
    copies = group_near_duplicates(dataset, progress)
    if earlier is not None:
        return earlier, copies
    groups = copies if stated is None else merge_groups(copies, stated)
    return make_split(dataset, groups, plan.recipe.seed, plan.recipe.validation, plan.recipe.test), copies


def _check_backend(job: Job, run: Path) -> None:
    """Checkpoints fit every backend, but its random numbers and kernels are its own: the run would be another one."""
    begun, here = job.provenance.get("backend"), keras.backend.backend()
    if begun not in (None, here):
        raise TrainError(
            f"{job.folder}: begun on the backend {begun}, here is {here}. Go on with "
            f'"KERAS_BACKEND={begun} trailcam train --resume {run}".'
        )


def _choose_outliers(plan: Plan, progress: Progress) -> tuple[SplitRow, ...]:
    if not plan.recipe.outliers_weight:
        return ()
    if plan.others is None:
        raise TrainError(
            f"recipe {plan.recipe.name}: outliers_weight is {plan.recipe.outliers_weight:g}, which needs pictures of "
            'none of the classes. Add "--others DIR", or "--set outliers_weight=0".'
        )
    return choose_outliers(plan.others, plan.recipe.input.spec, progress)


def _find_teachers(job: Job) -> tuple[Run, ...]:
    named = job.recipe.distillation.teacher
    return check_teachers(named, job.labels, job.rows) if named else ()


def _open_teacher(job: Job, runs: tuple[Run, ...]) -> Teacher | None:
    return open_teacher(runs, job.data, job.of("train"), job.labels, job.recipe) if runs else None


def _provenance(plan: Plan, dataset: Dataset) -> dict[str, str]:
    found = {
        "recipe": plan.recipe.name,
        "data": str(plan.data.resolve()),
        "pictures": str(len(dataset.pictures)),
        "unreadable": str(len(dataset.unreadable)),
        "started": now(),
        **describe_machine(plan.recipe.weights),
    }
    if dataset.unreadable:
        more = ", ..." if len(dataset.unreadable) > _LISTED else ""
        found["unreadable_files"] = ", ".join(item.file for item in dataset.unreadable[:_LISTED]) + more
    if plan.split is not None:
        found["split_from"] = str(plan.split.resolve())
    if plan.group_by is not None:
        found["group_by"] = plan.group_by
    if plan.others is not None:
        found["others"] = str(plan.others.resolve())
    if plan.recipe.distillation.teacher:
        found["teacher"] = plan.recipe.distillation.teacher
    return found
