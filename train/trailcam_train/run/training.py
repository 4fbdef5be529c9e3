"""Train a run from a folder of photographs: scan, split, fit, evaluate, report.

``start_training`` and ``resume_training`` end with the same steps. ``partial_run.py`` describes the folder meanwhile.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import keras

from trailcam_core.datasets.run_directory import Run, SplitRow, check_pictures, read_run, split_to_bytes
from trailcam_core.errors import DataError, TrainError
from trailcam_core.errors.command_line import command_line
from trailcam_core.files.atomic import remove_staging
from trailcam_core.files.digest import file_sha256
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.data.class_names import choose_label_map
from trailcam_train.data.dataset import Dataset, list_class_folders, scan_dataset
from trailcam_train.data.groups import merge_groups, read_groups
from trailcam_train.data.near_duplicates import group_duplicates
from trailcam_train.data.splits import check_groups, count_crossing, load_split, make_split
from trailcam_train.fitting.checkpoints import LAST_FILE
from trailcam_train.fitting.data_parallel import data_parallel, on_one_device
from trailcam_train.fitting.loop import train_model
from trailcam_train.fitting.multi_host import (
    check_one_host,
    check_same_epoch,
    check_same_on_hosts,
    lost_host_named,
    resume_command,
)
from trailcam_train.fitting.outliers import check_outliers, choose_outliers
from trailcam_train.fitting.teacher import model_digests
from trailcam_train.models.runtime import training_precision
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipes.find import build_network, fetch_weights, save_network
from trailcam_train.retraining.earlier import EARLIER, EARLIER_SHA256
from trailcam_train.retraining.last_layer import Pictures, load_earlier, spread, take_over
from trailcam_train.run.finish import MODEL_FILE, REPORT_FILE, write_evaluation
from trailcam_train.run.lock import locked
from trailcam_train.run.partial_run import (
    TrainingJob,
    check_free,
    check_space,
    create_job,
    describe_machine,
    now,
    partial_folder,
    publish,
    read_job,
)
from trailcam_train.run.preconditions import TEACHER_DIGEST, check_job, check_start
from trailcam_train.run.task import check_scales, open_task

_MAX_UNREADABLE_FRACTION = 0.05  # a few broken files are normal; more means that the data is damaged
_LISTED = 10  # names in a message or a provenance entry


@dataclass(frozen=True)
class TrainingRequest:
    """A training to start.

    ``data`` has a folder per class, ``run`` is the folder of the finished run. ``label_map`` is as for
    ``choose_label_map``, ``split`` an earlier ``split.csv`` to reuse. A new split keeps near-duplicates together, and
    with ``group_by`` also the groups of ``read_groups``. ``ood`` is a folder of out-of-distribution images.
    """

    data: Path
    recipe: Recipe
    run: Path
    label_map: str | None = None
    split: Path | None = None
    group_by: str | None = None
    ood: Path | None = None


def start_training(request: TrainingRequest, progress: Progress = silent) -> Run:
    """Train from the beginning and return the finished run.

    Raises:
        DataError: the pictures or the split cannot be used.
        TrainError: the recipe, backbone file or teacher cannot be used, the run exists, or the loss is not finite.
        OSError: the disk is full or failing; the checkpoints of the last finished epoch stay.
    """
    with lost_host_named(request.run):
        return _start(request, progress)


def _start(request: TrainingRequest, progress: Progress) -> Run:
    check_free(request.run)
    label_map = choose_label_map(list_class_folders(request.data), request.label_map)
    check_start(request.recipe, request.ood)
    precision = training_precision(request.recipe)
    weights = fetch_weights(request.recipe, progress)
    with data_parallel(request.recipe) as devices:
        # Before the pictures are read, so that a wrong weights file fails fast.
        class_count = len(set(label_map.values()))
        model = build_network(request.recipe, class_count, precision)
        check_scales(request.recipe, model, class_count, precision)
        check_space(request.run.parent, model.count_params())
        dataset = scan_dataset(request.data, label_map, progress)
        _check_unreadable(dataset)
        rows, groups = _make_rows(request, dataset, progress)
        provenance = {
            **describe_start(request, dataset, weights),
            "near_duplicates_across": str(count_crossing(rows, groups, dataset)),
            "precision": precision,
            "devices": str(devices),
        }
        outliers = start_outliers(request, progress)
        folder = partial_folder(request.run)
        job = TrainingJob(folder, request.data, request.recipe, dataset.labels, rows, provenance, request.ood, outliers)
        teachers = check_job(job)
        if teachers:
            job = replace(job, provenance={**job.provenance, TEACHER_DIGEST: model_digests(teachers)})
        create_job(job, dataset.unreadable)
        with locked(job.folder):
            return train_job(job, model, teachers, progress)


def resume_training(run: Path, progress: Progress = silent, data: Path | None = None, ood: Path | None = None) -> Run:
    """Resume an interrupted training and return the finished run.

    Args:
        run: the run, or its ``.partial`` folder.
        progress: receives each step.
        data: the folder of the pictures, if they were moved.
        ood: the folder of the out-of-distribution images, if they were moved.

    Raises:
        DataError: the pictures are not those of the split.
        TrainError: nothing to resume, begun on another backend, or as for ``start_training``.
        OSError: as for ``start_training``.
    """
    folder = partial_folder(run)
    if not folder.is_dir():
        finished = folder.with_suffix("")
        done = f'It is finished: convert it with "{command_line("export", finished)}".' if finished.is_dir() else ""
        raise TrainError(f"{folder}: no unfinished run to go on with. {done or 'Check the name.'}")
    with locked(folder), lost_host_named(run):
        remove_staging(folder)  # a kill may have come while a checkpoint was written
        job = read_job(folder, data, ood)
        if (folder / REPORT_FILE).exists():
            return publish(folder)  # it was interrupted between the last file and the rename
        _check_backend(job, run)
        check_start(job.recipe, job.ood)
        check_pictures(job.rows, job.data, progress)
        if job.outliers and job.ood is not None:
            check_outliers(job.outliers, job.ood, job.recipe.input.spec, progress)
        teachers = check_job(job)
        begun = (folder / LAST_FILE).exists()  # then the weights come from there and the backbone file is not needed
        takes_up = EARLIER in job.provenance
        if takes_up:
            check_one_host(f"--from {job.provenance[EARLIER]}")
        recipe = replace(job.recipe, weights="none") if begun or takes_up else job.recipe
        precision = job.provenance.get("precision") or training_precision(recipe)
        with data_parallel(recipe):
            model = build_network(recipe, len(job.labels), precision)
            if takes_up and not begun:
                begin_from_earlier(job, model, progress)
            return train_job(job, model, teachers, progress)


def train_job(job: TrainingJob, model: keras.Model, teachers: tuple[Run, ...], progress: Progress) -> Run:
    """Fit, save, evaluate and publish a job whose folder is locked; ``model`` has the weights to begin with."""
    check_same_on_hosts("split", split_to_bytes((*job.rows, *job.outliers)))
    check_same_epoch(job.folder)
    learner, task = open_task(job, model, teachers)
    state = train_model(learner, task, job.folder, progress)
    save_network(model, job.recipe, job.folder / MODEL_FILE)
    with on_one_device():
        write_evaluation(job, state, progress)
    return publish(job.folder)


def begin_from_earlier(job: TrainingJob, model: keras.Model, progress: Progress) -> None:
    """Put the weights of the earlier run that a job takes up into its network.

    Raises:
        TrainError: the run is gone or changed, or its network is another one.
        DataError: a picture cannot be read.
    """
    run = read_run(Path(job.provenance[EARLIER]))
    pictures = Pictures(spread(job.pictures("train")), job.data, job.labels)
    take_over(model, load_earlier(run, job.provenance[EARLIER_SHA256]), job.recipe, pictures, progress)


def _check_unreadable(dataset: Dataset) -> None:
    broken, total = len(dataset.unreadable), len(dataset.unreadable) + len(dataset.pictures)
    if broken > _MAX_UNREADABLE_FRACTION * total:
        listed = "\n".join(f"  {item.file}: {item.reason}" for item in dataset.unreadable[:_LISTED])
        more = f"\n  and {broken - _LISTED:,} more" if broken > _LISTED else ""
        raise DataError(
            f"{dataset.root}: {broken:,} of {total:,} pictures cannot be read, expected at most "
            f"{_MAX_UNREADABLE_FRACTION:.0%}:"
            f'\n{listed}{more}\nSee all of them with "{command_line("data", "check", dataset.root)}".'
        )


def _make_rows(
    request: TrainingRequest, dataset: Dataset, progress: Progress
) -> tuple[tuple[SplitRow, ...], tuple[int, ...]]:
    """Return the split, and the group of near-duplicates of each picture of ``dataset``."""
    stated = None if request.group_by is None else read_groups(request.group_by, dataset)
    earlier = None if request.split is None else load_split(request.split, dataset)
    if request.split is not None and earlier is not None and stated is not None:
        check_groups(request.split, earlier, stated, dataset)
    copies = group_duplicates(dataset, progress)
    if earlier is not None:
        return earlier, copies
    groups = copies if stated is None else merge_groups(copies, stated)
    return make_split(dataset, groups, request.recipe.seed, request.recipe.validation, request.recipe.test), copies


def _check_backend(job: TrainingJob, run: Path) -> None:
    """Refuse another backend: it reads the checkpoints, but its random numbers and kernels differ."""
    begun, here = job.provenance.get("backend"), keras.backend.backend()
    if begun not in (None, here):
        raise TrainError(
            f"{job.folder}: begun on the backend {begun}, here is {here}. Go on with "
            f'"KERAS_BACKEND={begun} {resume_command(run)}".'
        )


def start_outliers(request: TrainingRequest, progress: Progress) -> tuple[SplitRow, ...]:
    """Return the out-of-distribution pictures that training shows.

    Raises:
        TrainError: the recipe needs some, and there are none.
        DataError: they cannot be used.
    """
    if not request.recipe.outliers_weight:
        return ()
    if request.ood is None:
        raise TrainError(
            f"recipe {request.recipe.name}: outliers_weight is {request.recipe.outliers_weight:g}, which needs "
            'out-of-distribution images. Add "--others DIR", or "--set outliers_weight=0".'
        )
    return choose_outliers(request.ood, request.recipe.input.spec, progress)


def describe_start(request: TrainingRequest, dataset: Dataset, weights: Path | None) -> dict[str, str]:
    """Return the provenance of a training that starts; ``weights`` is the file of published weights, if any."""
    found = {
        "recipe": request.recipe.name,
        "data": str(request.data.resolve()),
        "pictures": str(len(dataset.pictures)),
        "unreadable": str(len(dataset.unreadable)),
        "started": now(),
        **describe_machine(request.recipe.weights),
    }
    if weights is not None:
        found |= {"weights_file": weights.name, "weights_sha256": file_sha256(weights)}
    if dataset.unreadable:
        more = ", ..." if len(dataset.unreadable) > _LISTED else ""
        found["unreadable_files"] = ", ".join(item.file for item in dataset.unreadable[:_LISTED]) + more
    if dataset.left_out is not None:
        found["left_out"] = dataset.left_out
    if request.split is not None:
        found["split_from"] = str(request.split.resolve())
    if request.group_by is not None:
        found["group_by"] = request.group_by
    if request.ood is not None:
        found["others"] = str(request.ood.resolve())
    if request.recipe.distillation.teacher:
        found["teacher"] = request.recipe.distillation.teacher
    return found
