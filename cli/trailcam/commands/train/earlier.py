"""The options of ``trailcam train --from``: what they are, what they refuse, and what is printed at the end."""

import argparse
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.help.numbers import whole_number
from trailcam_core.errors import TrainError
from trailcam_core.errors.command_line import command_line
from trailcam_core.files.names import printable

if TYPE_CHECKING:
    from trailcam_core.datasets.run_directory import Run
    from trailcam_core.jobs.progress import Progress

_REPLAY = 100  # the default of trailcam_train.retraining.earlier, which imports no training framework but numpy


def add_earlier_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that take an earlier run up."""
    group = parser.add_argument_group("an earlier run, taken up with new pictures")
    group.add_argument(
        "--from", type=Path, metavar="RUN", dest="earlier",
        help="finished run whose network learns from DATA, too; labels of DATA that it lacks are added",
    )  # fmt: skip
    group.add_argument(
        "--learn", choices=("head", "whole"),
        help="the last layer alone, in minutes (head, default), or then all layers that the recipe trains (whole)",
    )  # fmt: skip
    group.add_argument(
        "--replay", type=_count, metavar="N",
        help=f"old training pictures of each label to show again, so that nothing is forgotten (default {_REPLAY})",
    )  # fmt: skip
    group.add_argument("--old-data", type=Path, metavar="DIR", help="pictures of the earlier run, if they were moved")
    group.add_argument(
        "--without-old-data", action="store_true",
        help="go on although they are gone: its answers on new pictures hold the old labels; only those are tested",
    )  # fmt: skip
    group.add_argument("--few", action="store_true", help="train new labels of too few pictures, too")


def given_earlier_options(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the options of this group by name, those that were not given as None."""
    return {
        "--from": arguments.earlier,
        "--learn": arguments.learn,
        "--replay": arguments.replay,
        "--old-data": arguments.old_data,
        "--without-old-data": arguments.without_old_data or None,
        "--few": arguments.few or None,
    }


def refuse_without_earlier(arguments: argparse.Namespace) -> None:
    """Refuse the other options of the group where no earlier run is named."""
    given = [name for name, value in given_earlier_options(arguments).items() if value is not None]
    if given:
        raise TrainError(f'{", ".join(given)}: name the earlier run with "--from RUN".')


def plan_retraining(arguments: argparse.Namespace) -> "tuple[Path, Callable[[Progress], Run]]":
    """Return the folder of the run, and a function that trains it.

    Raises:
        TrainError: options that contradict each other.
    """
    from trailcam_train.retraining.earlier import HEAD, Earlier
    from trailcam_train.run.retraining import RetrainingRequest, start_retraining

    refused = {"--split": arguments.split, "--weights": arguments.weights, "--teacher": arguments.teacher}
    given = [name for name, value in refused.items() if value is not None]
    if given:
        raise TrainError(f"--from brings weights and split of the earlier run: leave out {', '.join(given)}.")
    if arguments.without_old_data and (arguments.old_data is not None or arguments.replay):
        raise TrainError("--without-old-data: shows no old picture. Leave out --old-data and --replay.")
    how = Earlier(
        run=find_run(arguments.earlier, arguments.runs),
        learns=arguments.learn or HEAD,
        replay=_REPLAY if arguments.replay is None else arguments.replay,
        data=arguments.old_data,
        without_data=arguments.without_old_data,
        few=arguments.few,
    )
    seed = [] if arguments.seed is None else [f"seed={arguments.seed}"]
    request = RetrainingRequest(
        data=arguments.data,
        run=arguments.runs / run_name(arguments, how.run.name),
        earlier=how,
        recipe_name=arguments.recipe,
        settings=(*arguments.settings, *seed),
        negatives=arguments.negatives,
        label_map=arguments.label_map,
        group_by=arguments.group_by,
        ood=arguments.others,
    )
    return request.run, lambda progress: start_retraining(request, progress)


def find_run(path: Path, runs: Path) -> Path:
    """Return the path of a run; a bare name is below ``runs``."""
    return runs / path if not path.parent.name and not path.is_dir() else path


def run_name(arguments: argparse.Namespace, start: str) -> str:
    """Return the name of the run: the given one, or ``start`` and the time.

    Raises:
        TrainError: the given one is a path.
    """
    name: str = arguments.name or f"{start}-{datetime.now():%Y%m%d-%H%M%S}"
    if Path(name).name != name or name.startswith("."):
        raise TrainError(f'--name {name}: expected a plain name; choose the folder with "--runs".')
    return name


def describe_earlier(run: "Run") -> Iterator[str]:
    """Yield the lines of what a run took up, if it did."""
    facts = run.provenance
    if "earlier" not in facts:
        return
    yield f"earlier     {printable(facts['earlier'])}: {facts['learns']} trained, old pictures {facts['old_pictures']}"
    new = f"{facts['new_pictures']} pictures"
    if facts.get("known_pictures", "0") != "0":
        new += f", and {facts['known_pictures']} that the earlier run has: those stay in its splits"
    if facts.get("corrected_pictures", "0") != "0":
        new += f", {facts['corrected_pictures']} old ones have a new label"
    if facts.get("near_duplicates_left_out", "0") != "0":
        new += f", {facts['near_duplicates_left_out']} left out: near-duplicates in another split"
    yield f"new         {new}"
    compare = command_line("train", "compare", printable(facts["earlier"]), printable(str(run.path)))
    yield f"won, lost   {compare}"


def _count(text: str) -> int:
    value = whole_number(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{value}: expected 0 to 1000000")
    return value
