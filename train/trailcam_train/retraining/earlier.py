"""The earlier run that a training takes up: its recipe, its pictures and its labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trailcam_core.bundle.labels import check_labels
from trailcam_core.datasets.run_directory import Run, read_run
from trailcam_core.errors import BundleError, TrainError
from trailcam_core.files.digest import file_sha256
from trailcam_core.records import read_toml
from trailcam_train.recipe.schema import EARLIER_WEIGHTS, Distillation, Phase, Recipe
from trailcam_train.recipe.toml import recipe_from_table

HEAD, WHOLE = "head", "whole"
EARLIER, EARLIER_SHA256 = "earlier", "earlier_sha256"  # keys of the provenance
UNCHANGED = "unchanged"  # value of frozen_part in the provenance: the export can keep the quantised layers, too
FEWEST_PICTURES, FEWEST_GROUPS = 10, 3  # of a new label
_EPOCHS, _LEARNING_RATE, _VIEWS = 20, 1e-3, 2  # of the last layer
_HELD = Distillation(weight=0.5, temperature=2.0)  # by the earlier answers, where the earlier pictures are gone


@dataclass(frozen=True)
class Earlier:
    """How an earlier run is taken up.

    ``learns`` is ``head`` for the last layer alone, or ``whole`` for it and then every layer that the recipe trains.
    ``replay`` old training pictures of each label are shown again. ``data`` is the folder of the old pictures, if they
    were moved; ``without_data`` goes on without them. ``few`` trains new labels of too few pictures, too.
    """

    run: Path
    learns: str = HEAD
    replay: int = 100
    data: Path | None = None
    without_data: bool = False
    few: bool = False


def open_earlier(path: Path, recipe_name: str | None = None) -> tuple[Run, Recipe]:
    """Read the earlier run and its recipe, whose weights are those of the run.

    Args:
        path: of the run.
        recipe_name: what the user asks for, if anything.

    Raises:
        TrainError: not a finished run, or its network is another one.
        DataError: its split cannot be read.
    """
    run = read_run(path)
    table, document = read_toml(path / "recipe.toml", TrainError)
    recipe = recipe_from_table({**table, "weights": EARLIER_WEIGHTS}, document)
    if recipe_name is not None and recipe_name.replace("-", "_") != recipe.name:
        raise TrainError(
            f"--from {path}: a run of the network {recipe.name}, and --recipe is {recipe_name}. Weights of one network "
            "do not fit another. Leave out --recipe, or train without --from."
        )
    return run, recipe


def find_old_data(run: Run, how: Earlier) -> Path | None:
    """Return the folder of the earlier run's pictures; None if the user goes on without them.

    Raises:
        TrainError: it is gone, and the user has not decided what to do.
    """
    if how.without_data:
        return None
    stated = run.provenance.get("data")
    data = how.data or (Path(stated) if stated else None)
    if data is None or not data.is_dir():
        where = f"{data}: no such folder" if data is not None else "their folder is not recorded"
        raise TrainError(
            f"--from {run.path}: the pictures that it learned from are gone ({where}). Without them no old picture is "
            "shown again, and no test can measure what the new model has forgotten. Name their folder with "
            '"--old-data DIR". Or go on with "--without-old-data": then the answers of the earlier model on the new '
            "pictures hold its labels in place, and only new pictures are tested."
        )
    return data


def join_labels(old: Sequence[str], found: Iterable[str], source: Path) -> tuple[str, ...]:
    """Return the old labels in their order, then the new ones, sorted: a reader of an old bundle keeps its numbers.

    Raises:
        TrainError: two labels differ in upper and lower case alone, or one is no label.
    """
    new = sorted(set(found) - set(old))
    spelled = {label.casefold(): label for label in old}
    for label in new:
        before = spelled.setdefault(label.casefold(), label)
        if before != label:
            raise TrainError(
                f"{source}: the label {label!r} is {before!r} in other letters, and one animal must not have two "
                f"labels. Rename the folder to {before!r}."
            )
    joined = (*old, *new)
    try:
        check_labels(joined, str(source))
    except BundleError as error:
        raise TrainError(str(error)) from error
    return joined


def retraining_recipe(recipe: Recipe, phases: Sequence[Phase], how: Earlier, first_layer: str) -> Recipe:
    """Return the recipe of a training that takes up a run of ``recipe``.

    Args:
        recipe: of the earlier run.
        phases: of the network's own recipe.
        how: which layers learn, and whether earlier answers hold the labels.
        first_layer: the first layer of the head.
    """
    head = Phase(HEAD, _EPOCHS, _LEARNING_RATE, "cosine", first_layer=first_layer, views=_VIEWS)
    # Small pictures are for a network that begins from nothing.
    whole = tuple(phase for phase in phases if phase.name != HEAD and phase.scale == 1)
    others = whole if how.learns == WHOLE else ()
    held = replace(_HELD, teacher=str(how.run.resolve())) if how.without_data else Distillation()
    return replace(recipe, phases=(head, *others), distillation=held)


def describe_earlier(run: Run, how: Earlier) -> dict[str, str]:
    """Return the provenance of the earlier run."""
    return {
        EARLIER: str(run.path.resolve()),
        EARLIER_SHA256: file_sha256(run.model_path),
        "learns": how.learns,
        "old_pictures": "none: their folder was left out" if how.without_data else f"{how.replay} of each label again",
    }
