"""``trailcam train``: train a model on folders of photographs."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.commands.train.earlier import (
    add_earlier_arguments,
    given_earlier_options,
    plan_retraining,
    refuse_without_earlier,
    run_name,
)
from trailcam.commands.train.finished import describe_run
from trailcam.commands.train.proposal import print_recipes, take_proposal
from trailcam.commands.train.resume import describe_lost_host, print_resume_command
from trailcam.logs import configure_logging
from trailcam.process.child import continue_in_child, end_without_libraries
from trailcam.process.reused_memory import reuse_large_buffers
from trailcam.process.tensorflow_settings import prepare_tensorflow
from trailcam.progress import job_progress
from trailcam.terminal import show_report
from trailcam_core.errors import TrailcamError, TrainError
from trailcam_core.inference.native_log import quiet_native_log
from trailcam_core.jobs.progress import Progress

if TYPE_CHECKING:
    from trailcam_core.datasets.run_directory import Run
    from trailcam_train.recipe.schema import Recipe

__all__ = ["add_arguments", "run"]

_INTERRUPTED = 130
_DEVICES = Path("/dev")  # where the driver of NVIDIA puts one file for each GPU


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam train``."""
    parser.epilog = '"trailcam train compare RUN RUN" compares two finished runs.'
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA", help="folder with one folder of pictures per class"
    )
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument(
        "--recipe",
        metavar="NAME",
        help="network and settings (default: one that fits data and machine is proposed)",
    )
    recipe.add_argument("--recipes", action="store_true", help="list the recipes with their time and memory, and stop")
    recipe.add_argument("--yes", action="store_true", help="take the proposed recipe without a question")
    recipe.add_argument("--weights", metavar="PATH", help="backbone weights: a file, imagenet or none")
    recipe.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="another setting of the recipe, as recipe.toml names it: batch_size=16, phases.head.epochs=5; repeatable",
    )  # fmt: skip
    recipe.add_argument("--teacher", metavar="RUN[,RUN]", help="a stronger run to learn from; several are combined")
    data = parser.add_argument_group("data")
    data.add_argument("--seed", type=int, metavar="N", help="seed of split, order, initial weights and augmentation")
    data.add_argument(
        "--label-map",
        metavar="MAP",
        help="animals10, none, or a TOML file of folder = label (default: detected from the folders)",
    )
    data.add_argument("--split", type=Path, metavar="FILE", help="reuse this split.csv instead of making a new split")
    data.add_argument(
        "--group-by",
        metavar="WHAT",
        help="keep pictures of one camera together: folder (DATA/class/camera/), or a CSV file of file and group",
    )
    data.add_argument(
        "--others", type=Path, metavar="DIR", help="out-of-distribution pictures, to tune and evaluate 'unknown'"
    )
    data.add_argument(
        "--negatives", type=Path, metavar="DIR",
        help="pictures without any of the classes: empty scenes, things, and other animals below animals/KIND/; adds "
        'the classes "nothing" and "other animal", and crops of all as a camera sees them',
    )  # fmt: skip
    folder = parser.add_argument_group("run")
    folder.add_argument("--name", help="name of the run (default: the recipe and the time)")
    folder.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of the runs (default: runs)"
    )
    folder.add_argument(
        "--hosts", choices=("keras", "auto"), default="keras",
        help="who starts several hosts: the variables of Keras (keras, default); auto: also join the other tasks of a "
        "Slurm or Open MPI job",
    )  # fmt: skip
    folder.add_argument("--resume", type=Path, metavar="RUN", help="resume an interrupted training")
    add_earlier_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, or resume a training, and print the result."""
    configure_logging()
    _refuse_wrong_options(arguments)
    prepare_tensorflow()
    reuse_large_buffers(os.environ)  # before the backend starts its threads
    from trailcam_train.fitting.launcher import find_launcher

    launcher = find_launcher(os.environ, arguments.hosts == "auto")
    several = launcher is not None and launcher.count > 1
    if several and (code := continue_in_child(describe_lost_host(arguments.hosts))) is not None:
        return code
    try:
        code = _run(arguments)
    except (TrailcamError, OSError):
        if several:
            end_without_libraries(1)  # JAX would wait for the others, who wait for this host, and then abort
        raise
    if several and code:
        end_without_libraries(code)
    return code


def _refuse_wrong_options(arguments: argparse.Namespace) -> None:
    """Refuse options that no recipe and no data make right, before the training framework is imported.

    Raises:
        TrainError: one of them is wrong, or they contradict each other.
    """
    from trailcam_train.recipe.toml import check_values

    if arguments.recipes:
        return
    if arguments.resume:
        _refuse_settled(arguments)
        return
    if arguments.data is None:
        raise TrainError('expected a folder of photographs, for example "trailcam train photos".')
    if arguments.earlier is None:
        refuse_without_earlier(arguments)
    run_name(arguments, "")
    check_values(_settings(arguments))


def _run(arguments: argparse.Namespace) -> int:
    _wake_backend(arguments.hosts == "auto")
    if arguments.recipes:
        print_recipes(arguments.data, arguments.label_map)
        return 0
    train = _plan_resume(arguments) if arguments.resume else _plan_start(arguments)
    try:
        with job_progress() as progress:
            finished = train.begin(progress)
    except KeyboardInterrupt:
        print_resume_command(train.run, arguments.hosts)
        return _INTERRUPTED
    except OSError:  # a full disk, most often
        print_resume_command(train.run, arguments.hosts)
        raise
    show_report(describe_run(finished))
    return 0


@dataclass(frozen=True)
class _Training:
    """A training to run, and the folder of the finished run."""

    run: Path
    begin: "Callable[[Progress], Run]"


def _wake_backend(auto_hosts: bool) -> None:
    """Import Keras, join other hosts, and run one operation with the native log silenced."""
    with quiet_native_log():
        import keras

        from trailcam_train.fitting.multi_host import join_hosts
    launcher = join_hosts(auto_hosts)  # before the first computation
    if auto_hosts:
        print(f"hosts       {launcher or 'no launcher found: the training runs on this host alone'}", file=sys.stderr)
    with quiet_native_log():
        keras.ops.ones(1)
    _report_idle_gpus(keras.backend.backend())


def _report_idle_gpus(backend: str) -> None:
    """Print one line where GPUs stay idle because of the backend."""
    from trailcam_train.models.runtime import has_gpu

    gpus = len([path for path in _DEVICES.glob("nvidia*") if path.name.removeprefix("nvidia").isdecimal()])
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        gpus = min(gpus, len([name for name in chosen.split(",") if name.strip() not in ("", "-1")]))
    used = 0 if not has_gpu() else (gpus if backend == "jax" else 1)
    if gpus > used:
        cure = "KERAS_BACKEND=jax trains on all of them" if used else f"install a {backend} that supports them"
        print(f"gpus        {gpus - used} of {gpus} stay idle on the backend {backend}: {cure}", file=sys.stderr)


def _plan_start(arguments: argparse.Namespace) -> _Training:
    from trailcam_train.fitting.multi_host import agree_on_run
    from trailcam_train.recipes.find import find_recipe
    from trailcam_train.run.field_training import start_field_training
    from trailcam_train.run.training import TrainingRequest, start_training

    if arguments.earlier is not None:
        return _Training(*plan_retraining(arguments))
    if arguments.recipe is None:
        chosen = take_proposal(arguments.data, arguments.label_map, arguments.yes)
    else:
        chosen = find_recipe(arguments.recipe)
    recipe = _adjust(chosen, arguments)
    request = TrainingRequest(
        data=arguments.data,
        recipe=recipe,
        run=agree_on_run(arguments.runs / run_name(arguments, recipe.name)),
        label_map=arguments.label_map,
        split=arguments.split,
        group_by=arguments.group_by,
        ood=arguments.others,
    )
    negatives: Path | None = arguments.negatives
    if negatives is not None:
        return _Training(request.run, lambda progress: start_field_training(request, negatives, progress))
    return _Training(request.run, lambda progress: start_training(request, progress))


def _plan_resume(arguments: argparse.Namespace) -> _Training:
    from trailcam_train.fitting.multi_host import host_run
    from trailcam_train.run.training import resume_training

    given: Path = arguments.resume
    if not given.parent.name and not given.is_dir():
        given = arguments.runs / given  # a bare name
    target = host_run(given)
    return _Training(target, lambda progress: resume_training(target, progress, arguments.data, arguments.others))


def _refuse_settled(arguments: argparse.Namespace) -> None:
    given = [option for option, value in _settled(arguments).items() if value not in (None, [])]
    if given:
        raise TrainError(
            f"--resume goes on with the settings that the training began with; leave out {', '.join(given)}. Only "
            "DATA and --others may be named again, where the pictures were moved."
        )


def _settled(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the options that define a training and cannot change on resume."""
    return {
        "--recipe": arguments.recipe,
        "--yes": arguments.yes or None,
        "--name": arguments.name,
        "--weights": arguments.weights,
        "--set": arguments.settings,
        "--seed": arguments.seed,
        "--label-map": arguments.label_map,
        "--split": arguments.split,
        "--group-by": arguments.group_by,
        "--teacher": arguments.teacher,
        "--negatives": arguments.negatives,
        **given_earlier_options(arguments),
    }


def _adjust(recipe: "Recipe", arguments: argparse.Namespace) -> "Recipe":
    from trailcam_train.recipe.toml import override

    return override(recipe, _settings(arguments))


def _settings(arguments: argparse.Namespace) -> list[str]:
    """Return the settings that --set and the options of the recipe state."""
    settings = list(arguments.settings)
    if arguments.weights is not None:
        settings.append(f"weights={arguments.weights}")
    if arguments.seed is not None:
        settings.append(f"seed={arguments.seed}")
    if arguments.teacher is not None:
        folders = [str(Path(name.strip()).resolve()) for name in arguments.teacher.split(",")]
        settings.append(f"distillation.teacher={','.join(folders)}")
    return settings
