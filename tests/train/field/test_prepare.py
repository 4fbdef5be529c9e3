"""A data folder for the field, from photographs and negatives."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.datasets.run_directory import SPLITS, read_split
from trailcam_core.errors import DataError
from trailcam_core.field.cutouts import cut_out
from trailcam_train.field.prepare import Division, Source, _Writer, make_crop, prepare_field_data
from trailcam_train.field.settings import FieldSettings

_SETTINGS = FieldSettings(crops=2, empty_crops=1)


def _photo(path: Path, seed: int, colour: tuple[int, int, int]) -> None:
    """Write an ellipse of a colour on a textured meadow."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = rng.integers(60, 200, (7, 9, 3), np.uint8)
    image = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    cv2.ellipse(image, (80, 60), (40, 30), float(rng.uniform(0, 180)), 0, 360, colour, -1)
    assert cv2.imwrite(str(path), image)


def _scene(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(coarse, (800, 450), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("field")
    for number in range(6):
        _photo(root / "data" / "red" / f"{number}.png", number, (20, 20, 230))
        _photo(root / "data" / "blue" / f"{number}.png", 100 + number, (230, 20, 20))
    for number in range(4):
        _scene(root / "negatives" / f"place{number}" / "a.jpg", number)
        _photo(root / "negatives" / "animals" / f"kind{number}" / "b.png", 200 + number, (20, 230, 230))
    return root / "data", root / "negatives"


def test_everything_is_in_one_split_with_its_crops(folders: tuple[Path, Path], tmp_path: Path) -> None:
    data, negatives = folders
    target = tmp_path / "made"
    made = prepare_field_data(data, {"red": "red", "blue": "blue"}, negatives, target, _SETTINGS, Division())
    rows = read_split(target / "split.csv")
    assert {row.label for row in rows} == {"red", "blue", "nothing", "other animal"}
    assert made["photographs"] == 16
    assert (made["empty pictures"], made["empty crops"]) == (4, 4)
    assert made["crops"] >= 16
    assert sum(made.values()) == len(rows)
    assert all((target / row.file).is_file() for row in rows)
    for label in ("red", "blue", "nothing", "other animal"):
        assert {row.split for row in rows if row.label == label} == set(SPLITS)
    split_of = {Path(row.file).stem: row.split for row in rows if "/photos/" in row.file}
    for row in rows:
        if "/crops/" in row.file:
            assert row.split == split_of[Path(row.file).stem.rsplit("-", 1)[0]]


def test_the_same_seed_makes_the_same_pictures(folders: tuple[Path, Path], tmp_path: Path) -> None:
    data, negatives = folders
    maps = {"red": "red", "blue": "blue"}
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        prepare_field_data(data, maps, negatives, tmp_path / name, _SETTINGS, Division(seed))
    first, again, other = ((tmp_path / name / "split.csv").read_bytes() for name in ("first", "again", "other"))
    assert first == again
    assert first != other


def test_what_cannot_be_prepared_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    data, negatives = folders
    maps = {"red": "red", "blue": "blue"}
    with pytest.raises(DataError, match="exists already"):
        prepare_field_data(data, maps, negatives, data, _SETTINGS, Division())
    with pytest.raises(DataError, match="has a class 'nothing'"):
        prepare_field_data(data, {"red": "red", "blue": "nothing"}, negatives, tmp_path / "made", _SETTINGS, Division())
    few = tmp_path / "few"
    for number in range(5):
        _scene(few / "place" / f"{number}.jpg", number)
    with pytest.raises(DataError, match=r"'nothing' are of too few places or kinds to have any for test"):
        prepare_field_data(data, maps, few, tmp_path / "made", _SETTINGS, Division())
    assert not (tmp_path / "made").exists()


def test_a_crop_is_square_and_holds_the_animal() -> None:
    image = np.full((120, 160, 3), (90, 160, 90), np.uint8)
    cv2.ellipse(image, (80, 60), (40, 30), 0, 0, 360, (230, 20, 20), -1)
    cutout = cut_out(image)
    assert cutout is not None
    plain = FieldSettings(infrared=0, stems=0, motion_blur=0, turn=0, low_light=0)
    scene = np.full((450, 800, 3), 120, np.uint8)
    for seed in range(20):
        crop = make_crop(cutout, scene, plain, np.random.default_rng(seed))
        assert crop.shape[0] == crop.shape[1]
        assert 0.03 < float((crop[..., 0] > crop[..., 1].astype(int) + 60).mean()) < 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"infrared": 1.5}, "field.infrared is 1.5, expected 0"),
        ({"share_min": 0.9, "share_max": 0.5}, "share_min and share_max"),
        ({"crops": -1}, "expected 0 to 100"),
        ({"margin_max": 0.5}, "margins from 1 on"),
        ({"unknown_label": "nothing"}, "two different names"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, float | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FieldSettings(**changes)  # type: ignore[arg-type]


def test_a_run_may_lie_in_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    writer = _Writer(tmp_path / "caf\udce9")
    writer.save(Source(tmp_path / "a.jpg", "fox", "train", "a"), 0, np.zeros((40, 40, 3), np.uint8), "scene")
    assert (writer.root / "fox/crops/a-0.jpg").read_bytes().startswith(b"\xff\xd8")
