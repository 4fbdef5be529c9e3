"""Everything about an export that can be decided, or refused, before the first slow step."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from trailcam_edge.errors import BundleError, ExportError
from trailcam_edge.manifest import GoldenEntry, Manifest, ModelEntry, OutputSpec, manifest_to_bytes
from trailcam_edge.progress import Progress, silent
from trailcam_edge.run_directory import Run, SplitRow, check_pictures, read_run
from trailcam_export.calibration import CALIBRATION_COUNT, CalibrationSet, choose_calibration
from trailcam_export.golden_vectors import choose_golden_files
from trailcam_export.output_rule import choose_score, find_others
from trailcam_export.parity import PARITY_COUNT
from trailcam_export.presets import DEFAULT_PRESET, PRESETS, Preset

__all__ = ["ExportRequest", "Plan", "make_plan"]


@dataclass(frozen=True)
class ExportRequest:
    """What a person asks for.

    ``run`` is a finished run and ``data`` the folder of its pictures, by default where training found them. The bundles
    go to ``out``/``name``, by default the run's own name. ``golden`` is a folder of up to eight pictures that travel in
    the bundles, ``others`` one of pictures of none of the labels. ``gate`` has the bars of the drift gate;
    ``inconclusive_fails`` says that what the gate cannot decide may not ship; ``fix`` that an int8 which does not pass
    is to be mended by keeping its worst operators in float.
    """

    run: Path
    data: Path | None = None
    out: Path = Path("exports")
    name: str | None = None
    version: str = "1.0.0"
    golden: Path | None = None
    others: Path | None = None
    calibration_count: int = CALIBRATION_COUNT
    gate: Preset = PRESETS[DEFAULT_PRESET]
    inconclusive_fails: bool = False
    fix: bool = False


@dataclass(frozen=True)
class Plan:
    """A request that can be carried out; ``draft`` is the manifest without what has yet to be measured."""

    run: Run
    data: Path
    folder: Path
    draft: Manifest
    calibration: CalibrationSet
    reject_score: str
    golden_files: tuple[Path, ...]
    others_files: tuple[Path, ...]
    others_unreadable: int

    def files(self, split: str) -> list[Path]:
        """Return the pictures of a split, in the order of its rows."""
        return [self.data / row.file for row in self.run.pictures(split)]

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
        ExportError: the export exists, a folder is missing, or the name or version cannot stand in a bundle.
    """
    run = read_run(request.run)
    name = request.name if request.name is not None else run.path.resolve().name
    data = _find_data(request, run)
    draft = _draft(name, request.version, run, data)
    folder = request.out / name
    if folder.exists() or folder.is_symlink():
        raise ExportError(
            f"{folder}: exists already, and a finished export is never overwritten. "
            "Choose another --name or --out, or remove it first."
        )
    for split in ("validation", "test"):
        if not run.pictures(split):
            raise ExportError(
                f"{run.path / 'split.csv'}: no {split} picture, so nothing could be measured. "
                "Train again with a share for each split."
            )
    seed = run.recipe.get("seed", 0)
    calibration = choose_calibration(run, request.calibration_count, seed if isinstance(seed, int) and seed >= 0 else 0)
    golden_files = choose_golden_files(run, data, request.golden)
    rows: list[SplitRow] = [*calibration.rows, *run.pictures("validation"), *run.pictures("test")]
    check_pictures(rows, data, progress)
    others, unreadable = find_others(request.others, run.input, progress, run.outliers) if request.others else ([], 0)
    return Plan(
        run=run,
        data=data,
        folder=folder,
        draft=draft,
        calibration=calibration,
        reject_score=choose_score(run),
        golden_files=tuple(golden_files),
        others_files=tuple(others),
        others_unreadable=unreadable,
    )


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
    draft = Manifest(
        name=name,
        version=bundle_version,
        model=ModelEntry("model.tflite", unknown, 1, "tflite", "float32"),
        golden=GoldenEntry("golden.npz", unknown, 1, 0.0),
        input=run.input,
        output=OutputSpec(run.labels, 1.0, None),
        metrics=None,
        drift=None,
        provenance=_provenance(run, data),
    )
    try:
        manifest_to_bytes(draft)
    except BundleError as error:
        raise ExportError(f"{error} Choose another --name or --version.") from error
    return draft


def _provenance(run: Run, data: Path) -> dict[str, str]:
    """Return where a bundle comes from, without any path of this machine."""
    weights = run.provenance.get("weights", "not stated")
    return {
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
