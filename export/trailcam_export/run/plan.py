"""Everything about an export that can be decided, or refused, before the first slow step."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trailcam_core.bundle.manifest import manifest_to_bytes
from trailcam_core.datasets.run_directory import Run, SplitRow, check_pictures, read_run
from trailcam_core.errors import BundleError, ExportError
from trailcam_core.files.digest import file_sha256
from trailcam_core.inference.tflite import ValueRange
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import GoldenEntry, InputSpec, Manifest, ModelEntry, OutputSpec, schema_version_of
from trailcam_export.calibration.calibration_set import CALIBRATION_COUNT, POOL_FACTOR, FieldFrame, choose_pool
from trailcam_export.calibration.select import find_frames
from trailcam_export.convert.embedded_metadata import ModelCard
from trailcam_export.convert.quantise import QUANTIZERS
from trailcam_export.convert.variants import DEFAULT_VARIANTS, FIX_NEEDS, Variant
from trailcam_export.gate.presets import DEFAULT_PRESET, PRESETS, Preset
from trailcam_export.inference.parity import PARITY_COUNT
from trailcam_export.keras_model.foreign_run import PlainModel, open_plain_run, split_plain_run
from trailcam_export.run.golden_vectors import choose_golden_files
from trailcam_export.run.output_rule import choose_score, find_others

__all__ = ["ExportRequest", "Plan", "make_plan"]

_TOOLS = ("ai-edge-litert", "keras", "litert-quantizer", "onnx", "onnxruntime", "tensorflow", "tf2onnx", "trailcam")


@dataclass(frozen=True)
class ExportRequest:
    """What a person asks for.

    ``run`` is a finished run, or ``plain`` a Keras model that was trained elsewhere: exactly one of them. ``data`` is
    the folder of the pictures, by default where training found them. The bundles go to ``out``/``name``, by default the
    run's own name. ``golden`` is a folder of up to eight pictures that travel in the bundles, ``others`` one of
    pictures of none of the labels, ``calibration`` one of frames from the field that also calibrate. ``quantizer``
    replaces the better one of each scheme. ``gate`` has the bars of the drift gate; ``inconclusive_fails`` says that
    what the gate cannot decide may not ship; ``fix`` that an int8 which does not pass is to be mended by keeping its
    worst operators in float.
    """

    run: Path | None = None
    data: Path | None = None
    out: Path = Path("exports")
    name: str | None = None
    version: str = "1.0.0"
    golden: Path | None = None
    others: Path | None = None
    calibration_count: int = CALIBRATION_COUNT
    variants: tuple[Variant, ...] = DEFAULT_VARIANTS
    quantizer: str | None = None
    calibration: Path | None = None
    plain: PlainModel | None = None
    gate: Preset = PRESETS[DEFAULT_PRESET]
    inconclusive_fails: bool = False
    fix: bool = False


@dataclass(frozen=True)
class Plan:
    """A request that can be carried out; ``draft`` is the manifest without what has yet to be measured.

    ``plain_model`` is the model that was trained elsewhere, opened and rebuilt, where there is one.
    """

    run: Run
    model_path: Path
    model_sha256: str
    data: Path
    folder: Path
    draft: Manifest
    variants: tuple[Variant, ...]
    quantizer: str | None
    calibration_count: int
    pool: tuple[SplitRow, ...]
    frames: tuple[FieldFrame, ...]
    reject_score: str
    golden_files: tuple[Path, ...]
    others_files: tuple[Path, ...]
    others_unreadable: int
    value_range: ValueRange | None
    plain_model: keras.Model | None
    notes: tuple[str, ...] = ()
    inputs: dict[str, Any] = field(default_factory=dict)

    @property
    def card(self) -> ModelCard:
        """What travels inside each file."""
        return ModelCard(self.draft.name, self.draft.version, self.run.labels, self.run.input, self.model_sha256)

    def files(self, split: str) -> list[Path]:
        """Return the pictures of a split, in the order of its rows."""
        return [self.data / row.file for row in self.run.pictures(split)]

    def held_out(self) -> tuple[SplitRow, ...]:
        """Return the pictures that nothing may be fitted on before they are measured on."""
        return (*self.run.pictures("validation"), *self.run.pictures("test"))

    def parity_files(self) -> list[Path]:
        """Return up to 64 validation pictures, spread evenly over the split."""
        files = self.files("validation")
        places = np.unique(np.linspace(0, len(files) - 1, min(PARITY_COUNT, len(files))).astype(int))
        return [files[place] for place in places]


def make_plan(request: ExportRequest, progress: Progress = silent) -> Plan:
    """Check a request against the run, its pictures and the disk.

    Raises:
        TrainError: not a finished run.
        DataError: its split or pictures cannot be used.
        BundleError: the label file of a plain model cannot be read.
        ExportError: the export exists, a folder is missing, the name or version cannot stand in a bundle, or ``fix``
            lacks a variant.
        ValueError: not exactly one of ``run`` and ``plain``, no variant, or an unknown quantizer.
    """
    if (request.run is None) == (request.plain is None) or not request.variants:
        raise ValueError("a request names one of run and plain, and at least one variant")
    if request.quantizer is not None and request.quantizer not in QUANTIZERS:
        raise ValueError(f"quantizer must be one of {', '.join(QUANTIZERS)}, got {request.quantizer!r}")
    missing = [name for name in FIX_NEEDS if name not in {variant.name for variant in request.variants}]
    if request.fix and missing:
        raise ExportError(f"--fix needs {' and '.join(missing)} among --variants: it mends int8 by means of float32.")
    opened = None
    if request.plain is not None:
        opened = open_plain_run(request.plain, request.data, progress)
        run, model_path = opened.run, request.plain.model
    else:
        assert request.run is not None  # noqa: S101 - said above; this tells the type checker
        run = read_run(request.run)
        model_path = run.model_path
    name = request.name if request.name is not None else run.path.resolve().name
    data = _find_data(request, run)
    draft = _draft(name, request.version, run, data)
    folder = request.out / name
    if folder.exists() or folder.is_symlink():
        raise ExportError(
            f"{folder}: exists already, and a finished export is never overwritten. "
            "Choose another --name or --out, or remove it first."
        )
    calibrated = any(variant.needs_calibration for variant in request.variants)
    if request.calibration is not None and not calibrated:
        raise ExportError(
            f"--calibration {request.calibration}: none of the variants "
            f"{', '.join(variant.name for variant in request.variants)} is calibrated. Leave it out, or add int8."
        )
    frames = find_frames(request.calibration) if request.calibration is not None else ()
    notes: tuple[str, ...] = ()
    if opened is not None:  # the first step that may be slow: every picture is read
        run, notes = split_plain_run(opened, data, progress)
    for split in ("validation", "test"):
        if not run.pictures(split):
            raise ExportError(
                f"{run.path / 'split.csv'}: no {split} picture, so nothing could be measured. "
                "Train again with a share for each split."
            )
    seed = run.recipe.get("seed", 0)
    pool = (
        choose_pool(run, request.calibration_count * POOL_FACTOR, seed if isinstance(seed, int) and seed >= 0 else 0)
        if calibrated
        else ()
    )
    golden_files = choose_golden_files(run, data, request.golden)
    if request.plain is None:  # those of a plain model were read a moment ago
        check_pictures([*pool, *run.pictures("validation"), *run.pictures("test")], data, progress)
    others, unreadable = find_others(request.others, run.input, progress, run.outliers) if request.others else ([], 0)
    plan = Plan(
        run=run,
        model_path=model_path,
        model_sha256=file_sha256(model_path),
        data=data,
        folder=folder,
        draft=draft,
        variants=request.variants,
        quantizer=request.quantizer,
        calibration_count=request.calibration_count,
        pool=pool,
        frames=frames,
        reject_score=choose_score(run),
        golden_files=tuple(golden_files),
        others_files=tuple(others),
        others_unreadable=unreadable,
        value_range=request.plain.value_range if request.plain is not None else None,
        plain_model=opened.model if opened is not None else None,
        notes=notes,
    )
    return replace(plan, inputs=_inputs(plan))


def _inputs(plan: Plan) -> dict[str, Any]:
    """Return what the finished parts of an export depend on, for the work folder's key."""
    return {
        "model": plan.model_sha256,
        "labels": list(plan.run.labels),
        "input": vars(plan.run.input),
        "range": None if plan.value_range is None else list(plan.value_range),
        "rows": [[row.file, row.sha256, row.split, row.label] for row in (*plan.pool, *plan.held_out())],
        "frames": [frame.sha256 for frame in plan.frames],
        "others": [file_sha256(path) for path in plan.others_files],
        "count": plan.calibration_count,
        "quantizer": plan.quantizer,
        "bundle": [plan.draft.name, plan.draft.version],
        "tools": {tool: version(tool) for tool in _TOOLS},
    }


def _find_data(request: ExportRequest, run: Run) -> Path:
    stated = run.provenance.get("data")
    data = request.data or (Path(stated) if stated else None)
    if data is None:
        raise ExportError(f"{run.path}: does not say where its pictures are. Name their folder with --data DIR.")
    if not data.is_dir():
        hint = "Check --data." if request.data else "They were moved: name their folder with --data DIR."
        raise ExportError(f"{data}: no such folder of pictures. {hint}")
    return data


def _draft(name: str, bundle_version: str, run: Run, data: Path) -> Manifest:
    """Return the manifest with nothing measured in it, after checking it by the reader's own rules."""
    unknown = "0" * 64
    output = OutputSpec(run.labels, 1.0, None, blank_labels=run.blank_labels, unknown_labels=run.unknown_labels)
    draft = Manifest(
        name=name,
        version=bundle_version,
        model=ModelEntry("model.tflite", unknown, 1, "tflite", "float32"),
        golden=GoldenEntry("golden.npz", unknown, 1, 0.0),
        input=InputSpec(run.input.height, run.input.width, run.input.fit),
        output=output,
        metrics=None,
        drift=None,
        provenance=_provenance(run, data),
        schema_version=schema_version_of(output),
    )
    try:
        manifest_to_bytes(draft)
    except BundleError as error:
        raise ExportError(f"{error} Choose another --name or --version.") from error
    return draft


def _provenance(run: Run, data: Path) -> dict[str, str]:
    """Return where a bundle comes from, without any path of this machine."""
    weights = run.provenance.get("weights", "not stated")
    stated = {
        "created": datetime.now(UTC).date().isoformat(),
        "dataset": run.provenance.get("dataset") or data.resolve().name,
        "keras": version("keras"),
        "litert": version("ai-edge-litert"),
        "recipe": str(run.recipe.get("name", "not stated")),
        "run": run.path.resolve().name,
        "seed": str(run.recipe.get("seed", "not stated")),
        "tensorflow": version("tensorflow"),
        "trailcam": version("trailcam"),
        "weights": Path(weights).name if "/" in weights and Path(weights).is_absolute() else weights,
    }
    if "split" in run.provenance:
        stated["split"] = run.provenance["split"]
    return stated
