"""The run directory: the output of a training and the input of an export.

    runs/NAME/
        model.keras        (H, W, 3) uint8 RGB -> K float32 logits, normalisation inside, no augmentation, no softmax
        labels.json        ordered list of K labels, the order of the logits
        split.csv          file, sha256, split, class; one row per picture, file relative to the data folder
        recipe.toml        resolved, with seed and [input] height, width, fit
        metrics.json       top-1 and per-class figures with n and intervals, temperature, reject rule
        history.csv        one row per epoch, and one after each phase whose weights were blended
        predictions.csv    answer and confidence for each validation and test picture
        earlier.csv        of a run that took another up: the answers of that one to the new held-out pictures
        reviews.csv        imported pictures that the run used: sha256, use (learned or tested), label, where it is from
        outliers.csv       in the form of split.csv: out-of-distribution pictures that were shown in training, if any
        provenance.json    flat table of texts: data folder, versions, start and end, where the weights came from
        report.html        the same for people
        tensorboard/       logs of the training for TensorBoard

A run is immutable once finished: it is filled as ``runs/NAME.partial`` and renamed. Writer and reader share this
module.
"""

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from trailcam_core.bundle.labels import check_labels, check_unique
from trailcam_core.errors import BundleError, DataError, TrainError, reason_of
from trailcam_core.errors.command_line import command_line
from trailcam_core.files.digest import file_sha256
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import FITS, MAX_INPUT_PX, MIN_INPUT_PX, InputSpec

PARTIAL_SUFFIX = ".partial"  # of the folder of an unfinished run
SPLITS = ("train", "validation", "test")
OUTLIERS_FILE = "outliers.csv"
REVIEWS_FILE = "reviews.csv"
_SPLIT_HEADER = ["file", "sha256", "split", "class"]
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class SplitRow:
    """One picture: its path below the data folder with forward slashes, digest, split and label."""

    file: str
    sha256: str
    split: str
    label: str


@dataclass(frozen=True)
class Run:
    """A finished run, read and checked; ``metrics`` and ``provenance`` as the files hold them.

    ``outliers`` are the digests of the out-of-distribution pictures that were shown in training, ``imported`` those of
    pictures that ``trailcam data import`` brought, most of them of the user's cameras.
    """

    path: Path
    labels: tuple[str, ...]
    input: InputSpec
    rows: tuple[SplitRow, ...]
    recipe: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, str]
    outliers: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()

    @property
    def model_path(self) -> Path:
        """The trained Keras model."""
        return self.path / "model.keras"

    @property
    def blank_labels(self) -> tuple[str, ...]:
        """The label that means "nothing there", as the recipe's [field] names it, if the run has it."""
        return self._of_field("blank_label")

    @property
    def unknown_labels(self) -> tuple[str, ...]:
        """The label that means "an animal, but none of the others", named and held likewise."""
        return self._of_field("unknown_label")

    def pictures(self, split: str) -> tuple[SplitRow, ...]:
        """Return the rows of one split, in the order of the file."""
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        return tuple(row for row in self.rows if row.split == split)

    def _of_field(self, key: str) -> tuple[str, ...]:
        table = self.recipe.get("field")
        label = table.get(key) if isinstance(table, dict) else None
        return (label,) if label in self.labels else ()


def split_to_bytes(rows: Iterable[SplitRow]) -> bytes:
    """Return the bytes of ``split.csv``.

    Raises:
        DataError: the name of a picture or label has control characters, or is not UTF-8, so that it could not be read
            back.
    """
    rows = tuple(rows)
    for row in rows:
        for name in (row.file, row.label):
            if _UNWRITABLE.search(name):
                raise DataError(f"{name!r} has control characters in its name, or is not UTF-8. Rename it.")
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_SPLIT_HEADER)
    writer.writerows([row.file, row.sha256, row.split, row.label] for row in rows)
    return buffer.getvalue().encode("utf-8")


def read_split(path: Path) -> tuple[SplitRow, ...]:
    """Read a ``split.csv``.

    Raises:
        DataError: missing, another header, a path that leaves the data folder, an unknown split, a picture twice.
    """
    try:
        lines = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a split ({error}).") from error
    if not lines or lines[0] != _SPLIT_HEADER:
        raise DataError(f"{path}: its first line is {lines[0] if lines else 'missing'}, expected {_SPLIT_HEADER}.")
    rows = []
    seen: set[str] = set()
    for number, fields in enumerate(lines[1:], start=2):
        if len(fields) != len(_SPLIT_HEADER):
            raise DataError(f"{path}: line {number} has {len(fields)} fields, expected {len(_SPLIT_HEADER)}.")
        row = SplitRow(*fields)
        if row.split not in SPLITS:
            raise DataError(f"{path}: line {number}: split is {row.split!r}, expected one of {', '.join(SPLITS)}.")
        place = PurePosixPath(row.file)
        if place.is_absolute() or ".." in place.parts or not place.parts or _UNWRITABLE.search(row.file):
            raise DataError(f"{path}: line {number}: {row.file!r} leaves the data folder.")
        if not re.fullmatch(r"[0-9a-f]{64}", row.sha256):
            raise DataError(f"{path}: line {number}: sha256 is {row.sha256[:70]!r}, expected 64 hexadecimal digits.")
        if row.file in seen:
            raise DataError(f"{path}: line {number}: {row.file!r} occurs twice.")
        seen.add(row.file)
        rows.append(row)
    return tuple(rows)


def read_reviews(path: Path) -> tuple[dict[str, str], ...]:
    """Return the rows of ``reviews.csv`` in a folder; none where it has no such file.

    Raises:
        TrainError: it cannot be read.
    """
    file = path / REVIEWS_FILE
    if not file.is_file():
        return ()
    try:
        with open(file, encoding="utf-8", errors="surrogateescape", newline="") as lines:
            rows = tuple(
                {key: value or "" for key, value in row.items() if key} for row in csv.DictReader(lines, strict=True)
            )
    except (OSError, csv.Error) as error:
        raise TrainError(f"{file}: cannot be read ({reason_of(error)}). Copy the whole folder again.") from error
    if any(not row.get("sha256") for row in rows):
        raise TrainError(f"{file}: a row has no sha256. Copy the whole folder again.")
    return rows


def check_pictures(rows: Iterable[SplitRow], data: Path, progress: Progress = silent) -> None:
    """Refuse pictures that are missing or are not those that the split was made of.

    Raises:
        DataError: naming the first such picture and how many there are.
    """
    listed = list(rows)
    changed = []
    for done, row in enumerate(listed, start=1):
        try:
            digest = file_sha256(data / row.file)
        except OSError:
            digest = ""
        if digest != row.sha256:
            changed.append((row.file, "changed" if digest else "missing"))
        progress("checking pictures", done, len(listed))
    if changed:
        file, what = changed[0]
        raise DataError(
            f"{data / file}: {what} since the split was made, as are {len(changed) - 1:,} others of {len(listed):,}. "
            "Name the folder that the split was made of, or train again to make a new split."
        )


def read_run(path: Path) -> Run:
    """Read a finished run.

    Raises:
        TrainError: not a finished run, or a file of it is missing or damaged.
        DataError: its split or its outliers cannot be read.
    """
    partial = path.with_name(path.name.removesuffix(PARTIAL_SUFFIX) + PARTIAL_SUFFIX)
    if path == partial or (partial.is_dir() and not path.is_dir()):
        raise TrainError(
            f'{partial}: this training is not finished. Go on with "{command_line("train", "--resume", path)}".'
        )
    if not path.is_dir() or not (path / "model.keras").is_file():
        raise TrainError(f'{path}: not a finished run (no model.keras). Make one with "trailcam train DATA".')
    names = _read_run_labels(path / "labels.json")
    recipe_path = path / "recipe.toml"
    try:
        recipe = tomllib.loads(recipe_path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise TrainError(f"{recipe_path}: cannot be read ({reason_of(error)}).") from error
    rows = read_split(path / "split.csv")
    outliers = path / OUTLIERS_FILE
    unknown = sorted({row.label for row in rows} - set(names))
    if unknown:
        raise TrainError(f"{path}: split.csv has the label {unknown[0]!r}, which labels.json does not list.")
    return Run(
        path=path,
        labels=names,
        input=_read_input(recipe, recipe_path),
        rows=rows,
        recipe=recipe,
        metrics=_read_json(path / "metrics.json", dict),
        provenance={str(k): str(v) for k, v in _read_json(path / "provenance.json", dict).items()},
        outliers=frozenset(row.sha256 for row in read_split(outliers)) if outliers.exists() else frozenset(),
        imported=frozenset(row["sha256"] for row in read_reviews(path)),
    )


def _read_run_labels(path: Path) -> tuple[str, ...]:
    labels = _read_json(path, list)
    if not all(isinstance(label, str) for label in labels):
        raise TrainError(f"{path}: holds something other than names, expected a list of texts.")
    try:
        check_labels(tuple(labels), str(path))
        check_unique(tuple(labels), str(path))
    except BundleError as error:
        raise TrainError(str(error)) from error
    return tuple(labels)


def _read_input(recipe: dict[str, Any], path: Path) -> InputSpec:
    found = recipe.get("input")
    table = found if isinstance(found, dict) else {}
    height, width, fit = table.get("height"), table.get("width"), table.get("fit")
    if not _is_side(height) or not _is_side(width) or fit not in FITS:
        raise TrainError(
            f"{path}: [input] needs height and width, {MIN_INPUT_PX} to {MAX_INPUT_PX} px, and fit "
            f"({', '.join(FITS)}), got {found}."
        )
    return InputSpec(height, width, fit)


def _is_side(value: Any) -> TypeGuard[int]:
    return type(value) is int and MIN_INPUT_PX <= value <= MAX_INPUT_PX


def _read_json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise TrainError(f"{path}: cannot be read ({reason_of(error)}).") from error
    if not isinstance(value, kind):
        raise TrainError(f"{path}: holds a {type(value).__name__}, expected a {kind.__name__}.")
    return value
