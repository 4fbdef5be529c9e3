"""Plan an export: check the request and resolve its inputs before the first slow step."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from trailcam_core.bundle.manifest import manifest_to_bytes
from trailcam_core.datasets.run_directory import Run, SplitRow, check_pictures, read_run
from trailcam_core.errors import BundleError, ExportError
from trailcam_core.files.digest import file_sha256
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.network.secrets import mask_text
from trailcam_core.spec import GoldenEntry, InputSpec, Manifest, ModelEntry, OutputSpec, schema_version_of
from trailcam_export.calibration.calibration_set import CALIBRATION_COUNT, POOL_FACTOR, choose_pool
from trailcam_export.calibration.select import CalibrationCandidates, find_frames
from trailcam_export.convert.embedded_metadata import EmbeddedMetadata
from trailcam_export.convert.quantise import QUANTIZERS
from trailcam_export.convert.variants import DEFAULT_VARIANTS, FIX_NEEDS, Variant
from trailcam_export.foreign.foreign_run import ForeignModel, OpenedRun, open_foreign_run, split_foreign_run
from trailcam_export.gate.presets import DEFAULT_PRESET, PRESETS, Preset
from trailcam_export.inference.parity import PARITY_COUNT
from trailcam_export.onnx_model.open_onnx import OnnxClassifier
from trailcam_export.run.earlier_bundle import EarlierBundle, anew_notes, find_earlier_bundle
from trailcam_export.run.golden_vectors import GoldenPictures, choose_golden
from trailcam_export.run.output_rule import choose_score, find_ood_images

_LEARNED_FROM = ("split", "earlier_sha256", "reviews", "reviews_sha256")  # of the provenance of a run


@dataclass(frozen=True)
class ExportRequest:
    """An export as requested by the user.

    ``run`` is a finished run, or ``foreign`` a Keras or ONNX model that was trained elsewhere: exactly one of them.
    ``data`` is the folder of the pictures, by default the one that training used. The bundles are written to
    ``out``/``name``, by default the run's own name. ``golden`` is a folder of up to eight pictures for the golden
    vectors, ``ood`` one of out-of-distribution images, ``calibration`` one of field frames that also calibrate.
    ``quantizer`` replaces the default one of each scheme. ``gate`` has the criteria of the drift gate; with
    ``inconclusive_fails`` an inconclusive variant counts as failed. ``fix`` keeps the worst operators of an int8 file
    that does not pass in float. ``zoom`` adds the last feature map as a second output. ``earlier`` is the bundle of the
    run that ``run`` took up.
    """

    run: Path | None = None
    data: Path | None = None
    out: Path = Path("exports")
    name: str | None = None
    version: str = "1.0.0"
    golden: Path | None = None
    ood: Path | None = None
    calibration_count: int = CALIBRATION_COUNT
    variants: tuple[Variant, ...] = DEFAULT_VARIANTS
    quantizer: str | None = None
    calibration: Path | None = None
    foreign: ForeignModel | None = None
    gate: Preset = PRESETS[DEFAULT_PRESET]
    inconclusive_fails: bool = False
    fix: bool = False
    zoom: bool = False
    earlier: Path | None = None


@dataclass(frozen=True)
class ExportPlan:
    """A request whose inputs are resolved; ``draft`` is the manifest without anything measured.

    ``foreign_model`` is the model that was trained elsewhere, opened and rebuilt, and ``pixel_range`` its stated input
    range. ``ood_files`` are the out-of-distribution images for evaluation. ``kept`` is the earlier bundle whose frozen
    part int8 keeps. ``golden_pictures`` are those of a bundle, used where ``golden_files`` are none.
    """

    run: Run
    model_path: Path
    model_sha256: str
    data: Path
    folder: Path
    draft: Manifest
    variants: tuple[Variant, ...]
    quantizer: str | None
    candidates: CalibrationCandidates
    score_name: str
    golden_files: tuple[Path, ...]
    ood_files: tuple[Path, ...]
    pixel_range: str
    foreign_model: keras.Model | OnnxClassifier | None
    notes: tuple[str, ...]
    zoom: bool = False
    kept: EarlierBundle | None = None
    golden_pictures: GoldenPictures | None = None

    @property
    def card(self) -> EmbeddedMetadata:
        """The metadata embedded in each file."""
        return EmbeddedMetadata(self.draft.name, self.draft.version, self.run.labels, self.run.input, self.model_sha256)

    def files(self, split: str) -> list[Path]:
        """Return the pictures of a split, in the order of its rows."""
        return [self.data / row.file for row in self.run.pictures(split)]

    def parity_files(self) -> list[Path]:
        """Return up to 64 validation pictures, spread evenly over the split."""
        files = self.files("validation")
        positions = np.unique(np.linspace(0, len(files) - 1, min(PARITY_COUNT, len(files))).astype(int))
        return [files[position] for position in positions]


def make_plan(request: ExportRequest, progress: Progress = silent) -> ExportPlan:
    """Check a request against the run, its pictures and the disk.

    Raises:
        TrainError: not a finished run.
        DataError: its split or pictures cannot be used.
        BundleError: the label file of a foreign model cannot be read.
        ExportError: the export exists, a folder is missing, the name or version is invalid in a bundle, or ``fix``
            lacks a variant.
        ValueError: not exactly one of ``run`` and ``foreign``, no variant, or an unknown quantizer.
    """
    check_request(request)
    if request.foreign is not None:
        request.foreign.check_variants(request.variants)
    opened = open_foreign_run(request.foreign, request.data, progress) if request.foreign is not None else None
    run = opened.run if opened is not None else _read_run(request)
    model_path = request.foreign.model if request.foreign is not None else run.model_path
    name = request.name if request.name is not None else run.path.resolve().name
    data = _find_data(request, run)
    draft = _draft(name, request.version, run, data)
    folder = _check_free(request.out / name)
    frames = find_frames(request.calibration) if request.calibration is not None else ()
    run, pool, notes = resolve_data(request, opened, run, data, progress)
    ood_files, ood_notes = _find_ood_images(request, run, progress)
    kept, kept_notes = find_earlier_bundle(run, request.earlier, request.out) if _makes_int8(request) else (None, ())
    golden = choose_golden(run, data, request.golden, kept.golden if kept is not None else None)
    held_out = (*run.pictures("validation"), *run.pictures("test"))
    return ExportPlan(
        run=run,
        model_path=model_path,
        model_sha256=file_sha256(model_path),
        data=data,
        folder=folder,
        draft=draft,
        variants=request.variants,
        quantizer=request.quantizer,
        candidates=CalibrationCandidates(pool, frames, held_out, data, run.input, request.calibration_count),
        score_name=choose_score(run),
        golden_files=golden.files,
        ood_files=ood_files,
        pixel_range=request.foreign.pixel_range if request.foreign is not None else "",
        foreign_model=opened.model if opened is not None else None,
        notes=(*notes, *ood_notes, *kept_notes, *anew_notes(run, request.variants), *golden.notes),
        zoom=request.zoom,
        kept=kept,
        golden_pictures=golden.pictures,
    )


def check_request(request: ExportRequest) -> None:
    """Refuse options that contradict each other.

    Raises:
        ExportError: ``fix`` lacks a variant, or ``calibration`` has none to calibrate.
        ValueError: as for ``make_plan``.
    """
    if (request.run is None) == (request.foreign is None) or not request.variants:
        raise ValueError("a request names one of run and foreign, and at least one variant")
    if request.quantizer is not None and request.quantizer not in QUANTIZERS:
        raise ValueError(f"quantizer must be one of {', '.join(QUANTIZERS)}, got {request.quantizer!r}")
    names = [variant.name for variant in request.variants]
    missing = [name for name in FIX_NEEDS if name not in names]
    if request.fix and missing:
        raise ExportError(f"--fix needs {' and '.join(missing)} among --variants: it mends int8 by means of float32.")
    if request.earlier is not None and not _makes_int8(request):
        message = "keeps the frozen part of int8. Add int8 to --variants, and leave out --quantizer and --model."
        raise ExportError(f"--earlier {request.earlier}: {message}")
    if request.calibration is not None and not _calibrates(request):
        raise ExportError(
            f"--calibration {request.calibration}: none of the variants {', '.join(names)} is calibrated. Leave it "
            "out, or add int8."
        )


def resolve_data(
    request: ExportRequest, opened: OpenedRun | None, run: Run, data: Path, progress: Progress = silent
) -> tuple[Run, tuple[SplitRow, ...], tuple[str, ...]]:
    """Return the run with its split, the pool of calibration images, and notes; every picture that is used is checked.

    Raises:
        DataError: pictures of the run are missing or changed.
        ExportError: a split is empty, or the folder does not fit the labels of a foreign model.
    """
    notes: tuple[str, ...] = ()
    if opened is not None:  # the first step that may be slow: every picture is read
        run, notes = split_foreign_run(opened, data, progress)
    for split in ("validation", "test"):
        if not run.pictures(split):
            raise ExportError(
                f"{run.path / 'split.csv'}: no {split} picture, so nothing could be measured. "
                "Train again with a fraction for each split."
            )
    pool = choose_calibration_pool(request, run)
    if opened is None:  # those of a foreign model were just read
        check_pictures([*pool, *run.pictures("validation"), *run.pictures("test")], data, progress)
    return run, pool, notes


def choose_calibration_pool(request: ExportRequest, run: Run) -> tuple[SplitRow, ...]:
    """Return the training pictures to select calibration images from; none if no variant is calibrated."""
    if not _calibrates(request):
        return ()
    seed = run.recipe.get("seed", 0)
    return choose_pool(run, request.calibration_count * POOL_FACTOR, seed if isinstance(seed, int) and seed >= 0 else 0)


def _makes_int8(request: ExportRequest) -> bool:
    return request.foreign is None and request.quantizer is None and Variant("tflite", "int8") in request.variants


def _calibrates(request: ExportRequest) -> bool:
    return any(variant.needs_calibration for variant in request.variants)


def _read_run(request: ExportRequest) -> Run:
    if request.run is None:
        raise ValueError("a request without a run")
    return read_run(request.run)


def _check_free(folder: Path) -> Path:
    if folder.exists() or folder.is_symlink():
        raise ExportError(
            f"{folder}: exists already, and a finished export is never overwritten. "
            "Choose another --name or --out, or remove it first."
        )
    return folder


def _find_ood_images(request: ExportRequest, run: Run, progress: Progress) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    if request.ood is None:
        return (), ()
    found, unreadable = find_ood_images(request.ood, run.input, progress, run.outliers)
    notes = (f"{unreadable} files of --others do not decode and were left out",) if unreadable else ()
    return tuple(found), notes


def _find_data(request: ExportRequest, run: Run) -> Path:
    stated = run.provenance.get("data")
    data = request.data or (Path(stated) if stated else None)
    if data is None:
        raise ExportError(
            f"{run.path}: provenance.json does not name the folder of its pictures. Name their folder with --data DIR."
        )
    if not data.is_dir():
        hint = "Check --data." if request.data else "They were moved: name their folder with --data DIR."
        raise ExportError(f"{data}: no such folder of pictures. {hint}")
    return data


def _draft(name: str, bundle_version: str, run: Run, data: Path) -> Manifest:
    """Return the manifest without measurements, checked by the rules of its reader."""
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
    """Return the provenance of a bundle, without any path of this machine."""
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
    stated |= {key: run.provenance[key] for key in _LEARNED_FROM if key in run.provenance}
    return {key: mask_text(text) for key, text in stated.items()}  # weights may come from an address
