"""Make a data folder for the field: photographs, negatives, and device crops of both, divided before anything is cut.

    TARGET/
        <label>/photos/...          links to the photographs of DATA
        <label>/crops/...           animals cut out, pasted into scenes, cropped as a device crops
        nothing/pictures/, crops/   negatives without an animal, whole and as crops
        other animal/...            negatives below animals/, as photographs and as crops
        split.csv                   the split: near-duplicates, kinds and scenes stay together
        prepared.json               what was made of how many
        groups.json                 the scene, kind or place of each picture

Any recipe trains on it with ``--split TARGET/split.csv``. An animal of one split is pasted only into scenes of the same
split, and a crop is in the split of its animal: no scene, kind or animal of the test was seen in training.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from trailcam_core.datasets.run_directory import SPLITS, SplitRow, split_to_bytes
from trailcam_core.errors import DataError, SourceError
from trailcam_core.field.cutouts import Cutout, cut_out
from trailcam_core.field.views import GROUPS_FILE
from trailcam_core.files.atomic import staged_directory
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.records import canonical_json
from trailcam_train.data.dataset import scan_dataset
from trailcam_train.data.near_duplicates import group_duplicates
from trailcam_train.data.splits import make_split
from trailcam_train.field.camera_look import draw_look
from trailcam_train.field.compositing import Box, crop_square, draw_place, draw_square, paste
from trailcam_train.field.negatives import NOTHING, Negative, check_scenes, find_negatives, split_groups
from trailcam_train.field.settings import FieldSettings

SPLIT_FILE = "split.csv"

_FRAME_PX = (960, 540)  # a device's large stream at half its size: enough for a crop of 260 px
_LEAST_CROP_PX = 80  # 160 px of a stream of 1920
_LARGE_PX = 400  # shorter side from which an empty picture gives separate crops
_CROP_SHARES = (0.15, 0.9)  # of the shorter side
_SAVED_PX = 320
_QUALITY = 92


@dataclass(frozen=True)
class Division:
    """How everything is divided: the seed of all chance, and the shares of validation and test."""

    seed: int = 0
    validation: float = 0.15
    test: float = 0.15


@dataclass(frozen=True)
class Source:
    """A picture to prepare: file, label, split, the name that distinguishes its views, and its kind or place."""

    path: Path
    label: str
    split: str
    name: str
    group: str = ""


@dataclass
class _Writer:
    """Writes files below ``root`` and remembers a row and a group for each."""

    root: Path
    rows: list[SplitRow] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)

    def link(self, source: Source, folder: str) -> None:
        place = f"{source.label}/{folder}/{source.name}{source.path.suffix.lower()}"
        target = self.root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.path.resolve())
        self._remember(place, source, source.group or place)

    def save(self, source: Source, number: int, image: Image, scene: str) -> None:
        place = f"{source.label}/crops/{source.name}-{number}.jpg"
        target = self.root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        side = min(_SAVED_PX, image.shape[0])
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        encoded, content = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not encoded:
            raise DataError(f"{target}: cannot be written as JPEG.")
        target.write_bytes(content.tobytes())  # cv2.imwrite ends the process at a path that is not UTF-8
        self._remember(place, source, scene)

    def _remember(self, place: str, source: Source, group: str) -> None:
        self.groups[place] = group
        digest = hashlib.sha256((self.root / place).read_bytes()).hexdigest()
        self.rows.append(SplitRow(place, digest, source.split, source.label))


def prepare_field_data(
    data: Path,
    label_map: Mapping[str, str],
    negatives: Path,
    target: Path,
    settings: FieldSettings,
    division: Division,
    progress: Progress = silent,
) -> dict[str, int]:
    """Write ``target``; return how many pictures of each sort are in it.

    Args:
        data: folder with one folder of photographs per class.
        label_map: label by class folder.
        negatives: see ``trailcam_train.field.negatives``.
        target: a folder that does not exist yet.
        settings: of the views.
        division: seed and shares.
        progress: called for each picture.

    Raises:
        DataError: a folder that cannot be used, negatives of one scene, or ``target`` exists.
        OSError: the disk is full or read-only; nothing is left.
    """
    if target.exists():
        raise DataError(f"{target}: exists already. Remove it to make it again, or train on it as it is.")
    listed = find_negatives(negatives)
    check_scenes(listed)
    dataset = scan_dataset(data, label_map, progress)
    taken = {settings.blank_label, settings.unknown_label} & set(dataset.labels)
    if taken:
        raise DataError(f"{data}: has a class {taken.pop()!r}, which --negatives makes. Rename the folder, or field.*.")
    copies = group_duplicates(dataset, progress)
    rows = make_split(dataset, copies, division.seed, division.validation, division.test)
    photos = [Source(data / row.file, row.label, row.split, _name(row.file)) for row in rows]
    others = _divide(listed, negatives, settings, division)
    with staged_directory(target) as staging:
        writer = _Writer(staging)
        made = _write(writer, photos, others, settings, division.seed, progress)
        (staging / SPLIT_FILE).write_bytes(split_to_bytes(sorted(writer.rows, key=lambda row: row.file)))
        (staging / GROUPS_FILE).write_bytes(canonical_json(writer.groups))
        (staging / "prepared.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    return made


def make_crop(cutout: Cutout, scene: Image, settings: FieldSettings, rng: np.random.Generator) -> Image:
    """Return an animal in a scene as a device crops it: a square of any size, (S, S, 3) uint8 RGB."""
    width, height = _FRAME_PX
    frame = np.asarray(cv2.resize(scene, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    low, high = np.log(settings.share_min), np.log(settings.share_max)
    box = draw_place(cutout, width, height, float(np.exp(rng.uniform(low, high))), rng)
    if rng.random() < 1 / 2:
        cutout = Cutout(np.ascontiguousarray(cutout.pixels[:, ::-1]), np.ascontiguousarray(cutout.alpha[:, ::-1]))
    frame = paste(frame, cutout, box, float(rng.uniform(0, 0.7)))
    crop = crop_square(frame, draw_square(box, width, height, settings.rule, rng))
    return draw_look(crop, settings.look, rng)


def _write(
    writer: _Writer,
    photos: Sequence[Source],
    others: Sequence[Source],
    settings: FieldSettings,
    seed: int,
    progress: Progress,
) -> dict[str, int]:
    scenes: dict[str, list[Source]] = {split: [] for split in SPLITS}
    made: Counter[str] = Counter()
    empty = [source for source in others if source.label == settings.blank_label]
    animals = [*photos, *(source for source in others if source.label != settings.blank_label)]
    for done, source in enumerate([*empty, *animals], start=1):  # scenes first: only those that can be read are used
        progress("preparing pictures", done, len(empty) + len(animals))
        image = _open(source)
        if image is None:
            made["unreadable"] += 1
            continue
        writer.link(source, "photos")
        rng = np.random.default_rng([seed, int(hashlib.sha256(source.name.encode()).hexdigest()[:12], 16)])
        if source.label == settings.blank_label:
            scenes[source.split].append(source)
            made["empty pictures"] += 1
            made["empty crops"] += _write_empty_crops(writer, source, image, settings, rng)
        else:
            made["photographs"] += 1
            made["crops"] += _write_crops(writer, source, image, scenes[source.split], settings, rng)
    return dict(made)


def _write_crops(
    writer: _Writer,
    source: Source,
    image: Image,
    scenes: Sequence[Source],
    settings: FieldSettings,
    rng: np.random.Generator,
) -> int:
    """Write the crops of an animal and return how many; 0 where it cannot be cut out or there is no scene for it."""
    cutout = cut_out(_shrink(image)) if settings.crops and scenes else None
    if cutout is None:
        return 0
    for number in range(settings.crops):
        scene = scenes[int(rng.integers(len(scenes)))]
        writer.save(source, number, make_crop(cutout, read_image(scene.path), settings, rng), scene.name)
    return settings.crops


def _write_empty_crops(
    writer: _Writer, source: Source, image: Image, settings: FieldSettings, rng: np.random.Generator
) -> int:
    count = settings.empty_crops if min(image.shape[:2]) >= _LARGE_PX else 0
    for number in range(count):
        writer.save(source, number, _empty_crop(image, settings, rng), source.name)
    return count


def _open(source: Source) -> Image | None:
    try:
        return read_image(source.path)
    except SourceError:
        return None  # counted; one broken file of thousands is no reason to stop


def _empty_crop(image: Image, settings: FieldSettings, rng: np.random.Generator) -> Image:
    side = float(np.exp(rng.uniform(*np.log(_CROP_SHARES)))) * min(image.shape[:2])
    side = max(side, float(_LEAST_CROP_PX))
    left, top = rng.uniform(0, image.shape[1] - side), rng.uniform(0, image.shape[0] - side)
    return draw_look(crop_square(image, Box(float(left), float(top), side, side)), settings.look, rng)


def _divide(listed: Sequence[Negative], root: Path, settings: FieldSettings, division: Division) -> list[Source]:
    splits = split_groups((item.group for item in listed), division.seed, division.validation, division.test)
    found = []
    for item in listed:
        label = settings.blank_label if item.label == NOTHING else settings.unknown_label
        name = _name(item.path.relative_to(root).as_posix())
        found.append(Source(item.path, label, splits[item.group], name, item.group))
    for label in sorted({item.label for item in found}):
        absent = sorted(set(SPLITS) - {item.split for item in found if item.label == label})
        if absent:
            raise DataError(
                f"{root}: the pictures of {label!r} are of too few places or kinds to have any for {absent[0]}, "
                "expected at least three folders: below animals/ one per kind, elsewhere one per place."
            )
    return found


def _shrink(image: Image) -> Image:
    """Return a picture of at most ``_FRAME_PX`` height: an outline needs no more, and GrabCut's result is scaled."""
    scale = _FRAME_PX[1] / max(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _name(file: str) -> str:
    """Return a file name for a path, unique and readable."""
    stem = Path(file).with_suffix("").as_posix().replace("/", "__")
    return f"{stem}.{hashlib.sha256(file.encode()).hexdigest()[:8]}"
