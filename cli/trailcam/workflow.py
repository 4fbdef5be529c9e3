"""The stages as functions: train, resume, export, benchmark. Each does what the command of its name does."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from trailcam.process.tensorflow_settings import prepare_tensorflow
from trailcam.workflow_options import ExportOptions, TrainOptions, check_options, foreign_model_of, path_of
from trailcam_core.jobs.progress import Progress, silent

if TYPE_CHECKING:
    from trailcam_benchmarks.results.schema import Result
    from trailcam_core.datasets.run_directory import Run
    from trailcam_export.run.export import ExportReport
    from trailcam_train.retraining.earlier import Earlier

_VARIANTS = ("float32", "int8")
_PICTURES = 1000  # for accuracy, as "trailcam benchmark --data" takes them


def train(
    data: Path | str,
    run: Path | str,
    recipe: str | None = None,
    settings: Sequence[str] = (),
    progress: Progress = silent,
    **options: Unpack[TrainOptions],
) -> "Run":
    """Train on a folder of photographs and return the finished run.

    Args:
        data: folder with one folder of pictures per label; with ``earlier`` the new pictures.
        run: folder to write; it must not exist. An interrupted training stays in ``RUN.partial``, and ``resume``
            continues it.
        recipe: name of a recipe; None takes the one that "trailcam train" proposes for this data and machine, or with
            ``earlier`` the one of the earlier run.
        settings: further settings as for ``--set``, for example ``"batch_size=16"``, ``"seed=3"``,
            ``"weights=none"`` or ``"distillation.teacher=/home/me/runs/big"``.
        progress: receives each step, as (stage, done, total).
        options: ``split``, ``label_map``, ``group_by``, ``others``, ``negatives`` and ``earlier``, see
            ``TrainOptions``.

    Raises:
        DataError: the pictures or the split cannot be used.
        TrainError: the recipe, a setting, the weights or the earlier run cannot be used, or the run exists.
        OSError: the disk is full or failing.
        TypeError: an unknown option.
        ValueError: ``split`` beside ``earlier``, which brings its own.
    """
    check_options(options, TrainOptions)
    prepare_tensorflow()
    earlier = options.get("earlier")
    if earlier is not None:
        return _retrain(Path(data), Path(run), recipe, settings, earlier, options)(progress)
    from trailcam_train.recipe.toml import override
    from trailcam_train.recipes.find import find_recipe
    from trailcam_train.run.field_training import start_field_training
    from trailcam_train.run.training import TrainingRequest, start_training

    label_map = options.get("label_map")
    if recipe is None:
        from trailcam.commands.train.proposal import make_proposal

        chosen = make_proposal(Path(data), label_map).chosen.recipe
    else:
        chosen = find_recipe(recipe)
    request = TrainingRequest(
        Path(data),
        override(chosen, settings),
        Path(run),
        label_map=label_map,
        split=path_of(options.get("split")),
        group_by=options.get("group_by"),
        ood=path_of(options.get("others")),
    )
    negatives = path_of(options.get("negatives"))
    if negatives is not None:
        return start_field_training(request, negatives, progress)
    return start_training(request, progress)


def _retrain(
    data: Path,
    run: Path,
    recipe: str | None,
    settings: Sequence[str],
    earlier: "Path | str | Earlier",
    options: TrainOptions,
) -> "Callable[[Progress], Run]":
    """Return a function that takes the earlier run up.

    Raises:
        ValueError: a split is named, too.
    """
    if options.get("split") is not None:
        raise ValueError("an earlier run brings its own split: leave out split")
    from trailcam_train.retraining.earlier import Earlier
    from trailcam_train.run.retraining import RetrainingRequest, start_retraining

    request = RetrainingRequest(
        data,
        run,
        earlier if isinstance(earlier, Earlier) else Earlier(Path(earlier)),
        recipe_name=recipe,
        settings=tuple(settings),
        negatives=path_of(options.get("negatives")),
        label_map=options.get("label_map"),
        group_by=options.get("group_by"),
        ood=path_of(options.get("others")),
    )
    return lambda progress: start_retraining(request, progress)


def resume(
    run: Path | str, data: Path | str | None = None, progress: Progress = silent, *, others: Path | str | None = None
) -> "Run":
    """Resume an interrupted training, as "trailcam train --resume RUN" does, and return the finished run.

    Args:
        run: the folder that the training was to write, or its ``.partial`` folder.
        data: folder of the pictures, if they were moved.
        progress: receives each step, as (stage, done, total).
        others: folder of the out-of-distribution pictures, if they were moved.

    Raises:
        DataError: the pictures are not those of the split.
        TrainError: there is nothing to resume, or it was begun on another backend.
        OSError: the disk is full or failing.
    """
    prepare_tensorflow()
    from trailcam_train.run.training import resume_training

    return resume_training(Path(run), progress, path_of(data), path_of(others))


def export(
    model: Path | str,
    out: Path | str = "exports",
    data: Path | str | None = None,
    variants: Sequence[str] | None = None,
    progress: Progress = silent,
    **options: Unpack[ExportOptions],
) -> "ExportReport":
    """Convert a run, or a Keras or ONNX model that was trained elsewhere, to bundles, and measure the drift.

    Args:
        model: folder of a run; with ``labels``, a ``.keras``, ``.h5`` or ``.onnx`` file.
        out: the bundles are written to ``out``/NAME, with the name of the run or of the file.
        data: folder of the pictures; by default the one of the training. A foreign model needs one.
        variants: as for ``--variants``; float32 and int8 by default, of an ONNX model as ONNX files.
        progress: receives each step, as (stage, done, total).
        options: ``labels``, ``input_range``, ``mean``, ``std``, ``fit``, ``name``, ``version``, ``others``, ``gate``
            and ``earlier``, see ``ExportOptions``.

    Returns:
        The report: ``folder`` of the bundles, ``passed`` for the drift gate, and a row for each variant.

    Raises:
        TrainError: not a finished run.
        DataError: its pictures cannot be used.
        ExportError: the model cannot be converted, or the export exists.
        OSError: the disk is full or failing.
        TypeError: an unknown option.
        ValueError: options that contradict each other.
    """
    check_options(options, ExportOptions)
    prepare_tensorflow()
    from trailcam_export.convert.variants import parse_variants
    from trailcam_export.gate.presets import DEFAULT_PRESET, find_preset
    from trailcam_export.run.export import export_run
    from trailcam_export.run.plan import ExportRequest

    foreign = foreign_model_of(Path(model), options)
    version, gate = options.get("version"), options.get("gate")
    if variants is None:
        variants = [f"onnx-{name}" for name in _VARIANTS] if foreign is not None and foreign.is_onnx else _VARIANTS
    request = ExportRequest(
        run=Path(model) if foreign is None else None,
        foreign=foreign,
        data=path_of(data),
        out=Path(out),
        name=options.get("name"),
        version="1.0.0" if version is None else version,
        ood=path_of(options.get("others")),
        variants=parse_variants(list(variants)),
        gate=find_preset(DEFAULT_PRESET if gate is None else gate),
        earlier=path_of(options.get("earlier")),
    )
    return export_run(request, progress)


def benchmark(
    bundles: Sequence[Path | str],
    threads: Sequence[int] = (1,),
    frames: int = 1024,
    min_time_s: float = 10.0,
    rounds: int = 8,
    data: Path | str | None = None,
    progress: Progress = silent,
) -> "Result":
    """Measure latency and memory of bundles side by side on this machine.

    Args:
        bundles: folders of bundles, at least one.
        threads: numbers of threads of one inference; each bundle is measured with each.
        frames: frames of each row, at least.
        min_time_s: duration of each row in s, at least.
        rounds: turns; each round of a bundle runs in a fresh process.
        data: pictures in folders named like the labels, for accuracy; name some that no bundle was trained on.
        progress: receives each round, as (stage, done, total).

    Returns:
        The result: one row for each bundle and number of threads. A bundle that fails is a row with the reason.

    Raises:
        DataError: the pictures cannot be used.
        ValueError: no bundle.
    """
    from trailcam.commands.benchmark import read_pictures
    from trailcam_benchmarks.host.virtual_environments import environments_folder
    from trailcam_benchmarks.session.session import BenchmarkPlan, measure
    from trailcam_benchmarks.worker.local_workers import local_run

    if not bundles:
        raise ValueError("expected at least one bundle")
    paths = tuple(Path(bundle) for bundle in bundles)
    pictures = () if data is None else read_pictures(Path(data), _PICTURES)
    plan = BenchmarkPlan(paths, tuple(threads), frames=frames, min_time_s=min_time_s, rounds=rounds, pictures=pictures)
    return measure(plan, local_run(plan.runtimes, environments_folder()), progress)
