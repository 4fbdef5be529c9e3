"""The command line; ``trailcam_project.field_model`` describes it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam.progress import job_progress
from trailcam_benchmarks.host.signals import interruptions
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.datasets.run_directory import read_split
from trailcam_core.errors import DataError, TrailcamError
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.decision import probabilities
from trailcam_core.inference.open_model import open_model
from trailcam_core.jobs.progress import Progress
from trailcam_project.field_model.float_network import RECIPE, float_network
from trailcam_project.field_model.training import Plan, checkpoint_of, train
from trailcam_project.field_model.views import Sources, Views, cut_animals
from trailcam_train.field.negatives import NOTHING, find_negatives
from trailcam_train.field.settings import FieldSettings
from trailcam_train.recipes.find import find_recipe, save_network

_INTERRUPTED = 130

Floats = npt.NDArray[np.floating[Any]]


def _read_sources(
    animals: Path, negatives: Path, split: Path, labels: Sequence[str], cutouts: int, progress: Progress
) -> Sources:
    rows = [row for row in read_split(split) if row.split == "train"]
    strange = sorted({row.label for row in rows} - set(labels))
    if strange:
        raise DataError(f"{split}: the bundle has no label {', '.join(strange)}, expected some of {', '.join(labels)}.")
    photographs = [(animals / row.file, list(labels).index(row.label)) for row in rows]
    listed = find_negatives(negatives)
    others = [item.path for item in listed if item.label != NOTHING]
    numbers = dict(photographs)
    chosen = sorted(numbers, key=lambda file: file.name)[:cutouts]
    return Sources(
        photographs,
        others,
        [item.path for item in listed if item.label == NOTHING],
        [(cutout, numbers[file]) for file, cutout in cut_animals(chosen, progress)],
        [cutout for _, cutout in cut_animals(others, progress)],
    )


def _teach(bundle: Path, files: Sequence[Path], progress: Progress) -> dict[Path, Floats]:
    """Return the probabilities, (K,), that a bundle gives these photographs."""
    opened = open_bundle(bundle)
    model, manifest = open_model(opened.model_path, num_threads=1), opened.manifest
    answers: dict[Path, Floats] = {}
    for done, file in enumerate(files, start=1):
        logits = model.invoke(fit_image(read_image(file), manifest.input)[None])
        answers[file] = probabilities(logits, manifest.output.temperature)
        progress("answering photographs", done, len(files))
    return answers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 1 after an error, 130 after an interruption."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.field_model",
        description="Train the built-in network further on new views of a field camera, and write its weights.",
    )
    parser.add_argument("animals", type=Path, metavar="ANIMALS", help="a folder of photographs per class")
    parser.add_argument("negatives", type=Path, metavar="NEGATIVES", help="as for trailcam train --negatives")
    parser.add_argument("--split", type=Path, required=True, help="split.csv of a run on ANIMALS; only train is used")
    parser.add_argument("--out", type=Path, required=True, help="network to write, ending in .keras")
    parser.add_argument("--bundle", type=Path, default=BUILTIN_BUNDLE, help="the network to start from and to learn of")
    parser.add_argument("--steps", type=int, default=1400, help="of 48 views each (1400)")
    parser.add_argument("--rate", type=float, default=1.2e-4, help="largest learning rate (1.2e-4)")
    parser.add_argument("--frozen", default="block6_add", help="last layer that stays (block6_add)")
    parser.add_argument("--blend", type=float, default=0.5, help="share of the trained weights in the result (0.5)")
    parser.add_argument("--cutouts", type=int, default=4200, help="photographs to cut out (4200)")
    given = parser.parse_args(arguments)
    if given.out.suffix != ".keras" or not given.out.parent.is_dir():  # better now than after an hour
        parser.error(f"--out {given.out}: expected a name that ends in .keras, in a folder that exists")
    checkpoint = checkpoint_of(given.out)
    try:
        with interruptions(), job_progress() as progress:
            network = float_network(given.bundle)
            manifest = open_bundle(given.bundle).manifest
            labels = manifest.output.labels
            sources = _read_sources(given.animals, given.negatives, given.split, labels, given.cutouts, progress)
            answers = _teach(given.bundle, [file for file, _ in sources.photographs], progress)
            views = Views(sources, labels, answers, manifest.input, FieldSettings(share_min=0.12), seed=0)
            train(network, views, Plan(given.steps, given.rate, given.frozen, given.blend), checkpoint, progress)
        save_network(network, find_recipe(RECIPE), given.out)
        checkpoint.unlink(missing_ok=True)
    except KeyboardInterrupt:
        kept = f"the same command goes on from {checkpoint}" if checkpoint.exists() else "nothing was written"
        print(f"interrupted: {kept}.", file=sys.stderr)
        return _INTERRUPTED
    except (TrailcamError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {given.out}; its labels, in order: {', '.join(labels)}")
    print(f"next: trailcam export --model {given.out} --labels LABELS.txt --data PHOTOS")
    return 0


if __name__ == "__main__":
    sys.exit(main())
