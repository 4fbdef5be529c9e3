"""The stages as functions: train, export, benchmark. Each does what the command of its name does."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.process.tensorflow_settings import prepare_tensorflow
from trailcam_core.jobs.progress import Progress, silent

if TYPE_CHECKING:
    from trailcam_benchmarks.results.schema import Result
    from trailcam_core.datasets.run_directory import Run
    from trailcam_core.inference.tflite import ValueRange
    from trailcam_export.run.export import ExportReport

_VARIANTS = ("float32", "int8")


def train(
    data: Path | str,
    run: Path | str,
    recipe: str | None = None,
    settings: Sequence[str] = (),
    split: Path | str | None = None,
    progress: Progress = silent,
) -> "Run":
    """Train on a folder of photographs and return the finished run.

    Args:
        data: folder with one folder of pictures per label.
        run: folder to write; it must not exist. An interrupted training stays in ``RUN.partial``, and "trailcam train
            --resume RUN" resumes it.
        recipe: name of a recipe; None takes the one that "trailcam train" proposes for this data and machine.
        settings: further settings as for ``--set``, for example ``"batch_size=16"``.
        split: a ``split.csv`` to reuse.
        progress: receives each step, as (stage, done, total).

    Raises:
        DataError: the pictures or the split cannot be used.
        TrainError: the recipe, a setting or the weights cannot be used, or the run exists.
        OSError: the disk is full or failing.
    """
    prepare_tensorflow()
    from trailcam_train.recipe.toml import override
    from trailcam_train.recipes.find import find_recipe
    from trailcam_train.run.training import TrainingRequest, start_training

    if recipe is None:
        from trailcam.commands.train.proposal import make_proposal

        chosen = make_proposal(Path(data), None).chosen.recipe
    else:
        chosen = find_recipe(recipe)
    request = TrainingRequest(
        Path(data), override(chosen, settings), Path(run), split=None if split is None else Path(split)
    )
    return start_training(request, progress)


def export(
    model: Path | str,
    out: Path | str = "exports",
    data: Path | str | None = None,
    labels: Path | str | None = None,
    variants: Sequence[str] | None = None,
    input_range: "ValueRange | None" = None,
    progress: Progress = silent,
) -> "ExportReport":
    """Convert a run, or a Keras or ONNX model that was trained elsewhere, to bundles, and measure the drift.

    Args:
        model: folder of a run; with ``labels``, a ``.keras``, ``.h5`` or ``.onnx`` file.
        out: the bundles are written to ``out``/NAME, with the name of the run or of the file.
        data: folder of the pictures; by default the one of the training. A foreign model needs one.
        labels: text file of a foreign model, one label per line in the order of its outputs.
        variants: as for ``--variants``; float32 and int8 by default, of an ONNX model as ONNX files.
        input_range: input values of pixel levels 0 and 255, for a foreign model that does not state them.
        progress: receives each step, as (stage, done, total).

    Returns:
        The report: ``folder`` of the bundles, ``passed`` for the drift gate, and a row for each variant.

    Raises:
        TrainError: not a finished run.
        DataError: its pictures cannot be used.
        ExportError: the model cannot be converted, or the export exists.
        OSError: the disk is full or failing.
    """
    prepare_tensorflow()
    from trailcam_export.convert.variants import parse_variants
    from trailcam_export.foreign.foreign_run import ForeignModel
    from trailcam_export.run.export import export_run
    from trailcam_export.run.plan import ExportRequest

    path = Path(model)
    foreign = None if labels is None else ForeignModel(path, Path(labels), value_range=input_range)
    if variants is None:
        variants = [f"onnx-{name}" for name in _VARIANTS] if foreign is not None and foreign.is_onnx else _VARIANTS
    request = ExportRequest(
        run=path if foreign is None else None,
        foreign=foreign,
        data=None if data is None else Path(data),
        out=Path(out),
        variants=parse_variants(list(variants)),
    )
    return export_run(request, progress)


def benchmark(
    bundles: Sequence[Path | str],
    threads: Sequence[int] = (1,),
    frames: int = 1024,
    min_time_s: float = 10.0,
    rounds: int = 8,
    progress: Progress = silent,
) -> "Result":
    """Measure latency and memory of bundles side by side on this machine.

    Args:
        bundles: folders of bundles, at least one.
        threads: numbers of threads of one inference; each bundle is measured with each.
        frames: frames of each row, at least.
        min_time_s: duration of each row in s, at least.
        rounds: turns; each round of a bundle runs in a fresh process.
        progress: receives each round, as (stage, done, total).

    Returns:
        The result: one row for each bundle and number of threads. A bundle that fails is a row with the reason.

    Raises:
        ValueError: no bundle.
    """
    from trailcam_benchmarks.host.virtual_environments import environments_folder
    from trailcam_benchmarks.session.session import BenchmarkPlan, measure
    from trailcam_benchmarks.worker.local_workers import local_run

    if not bundles:
        raise ValueError("expected at least one bundle")
    paths = tuple(Path(bundle) for bundle in bundles)
    plan = BenchmarkPlan(paths, tuple(threads), frames=frames, min_time_s=min_time_s, rounds=rounds)
    return measure(plan, local_run(plan.runtimes, environments_folder()), progress)
