from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.images.alignment import candidate_pairs
from trailcam_core.images.resize import Image
from trailcam_train.data.dataset import Dataset, Picture, scan_dataset
from trailcam_train.data.near_duplicates import find_duplicates, group_duplicates, group_pairs


def _scene(seed: int, height: int = 180, width: int = 240) -> Image:
    """Give a picture with detail at every scale, as photographs have: (height, width, 3) uint8."""
    chance = np.random.default_rng(seed)
    scene = np.zeros((height, width, 3), np.float32)
    for cells in (3, 6, 12, 24, 48):
        grid = chance.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        scene += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 90 / cells**0.5
    return np.clip(scene + 120, 0, 255).astype(np.uint8)


def _watermark(image: Image) -> Image:
    marked = image.copy()
    cv2.putText(marked, "stock photo", (20, 170), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 3)
    return marked


_COPIES: dict[str, Callable[[Image], Image]] = {
    "smaller": lambda image: cv2.resize(image, (120, 90), interpolation=cv2.INTER_AREA),
    "stretched": lambda image: cv2.resize(image, (200, 200), interpolation=cv2.INTER_AREA),
    "cropped": lambda image: image[9:-5, 4:-12],
    "framed": lambda image: cv2.copyMakeBorder(image, 6, 6, 8, 8, cv2.BORDER_CONSTANT, value=(255, 255, 255)),
    "mirrored": lambda image: image[:, ::-1],
    "grey": lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2),
    "darker": lambda image: (image * 0.5).astype(np.uint8),
    "marked": _watermark,
}


def _write(path: Path, image: Image, quality: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, quality])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number in range(20):
        _write(tmp_path / ("fox" if number % 2 else "hare") / f"{number:02}.jpg", _scene(number))
    return tmp_path


def _groups(root: Path) -> dict[str, int]:
    dataset = scan_dataset(root)
    numbers = group_duplicates(dataset)
    return {picture.file: number for picture, number in zip(dataset.pictures, numbers, strict=True)}


def test_different_scenes_are_not_duplicates(data: Path) -> None:
    assert len(set(_groups(data).values())) == 20


@pytest.mark.parametrize("change", _COPIES)
def test_a_changed_copy_is_found_and_nothing_else(data: Path, change: str) -> None:
    _write(data / f"fox/copy-{change}.jpg", _COPIES[change](_scene(3)), quality=60)
    groups = _groups(data)
    assert groups[f"fox/copy-{change}.jpg"] == groups["fox/03.jpg"]
    assert len(set(groups.values())) == 20


def test_pairs_say_what_kind_of_copy_and_cross_classes(data: Path) -> None:
    (data / "hare/same.jpg").write_bytes((data / "fox/05.jpg").read_bytes())
    _write(data / "hare/turned.jpg", _scene(7)[:, ::-1])
    dataset = scan_dataset(data)
    exact, mirrored = find_duplicates(dataset)
    assert exact.exact
    assert exact.correlation == 1
    assert {dataset.pictures[exact.first].file, dataset.pictures[exact.second].file} == {"fox/05.jpg", "hare/same.jpg"}
    assert not mirrored.exact
    assert mirrored.mirrored
    assert mirrored.correlation > 0.98
    assert dataset.pictures[mirrored.first].label != dataset.pictures[mirrored.second].label


def test_a_chain_of_copies_is_one_group_however_many_there_are(data: Path) -> None:
    for quality in range(40, 80):
        _write(data / f"fox/again-{quality}.jpg", _scene(1), quality)
    dataset = scan_dataset(data)
    pairs = find_duplicates(dataset)
    assert len(pairs) == 40  # one link each, not 40 * 41 / 2
    assert len(set(group_pairs(len(dataset.pictures), pairs))) == 20


def test_blank_pictures_are_alike_only_when_they_are_equal(data: Path) -> None:
    # A black sky that one lens darkens at the corners: nothing in them but the lens.
    across, down = np.linspace(-1, 1, 240), np.linspace(-1, 1, 180)[:, None]
    for number in range(4):
        night = np.clip(9 - 2 * (across**2 + down**2) + number, 0, 255).astype(np.uint8)
        _write(data / f"fox/night-{number}.jpg", np.repeat(night[..., None], 3, axis=2))
    (data / "fox/night-4.jpg").write_bytes((data / "fox/night-0.jpg").read_bytes())
    assert len(set(_groups(data).values())) == 24


def test_pictures_that_share_only_their_layout_are_not_duplicates(data: Path) -> None:
    layout = cv2.GaussianBlur(_scene(60), (0, 0), 6).astype(np.float32) - 120
    for seed in range(61, 65):
        mixed = np.clip(0.3 * _scene(seed) + layout + 60, 0, 255).astype(np.uint8)  # likeness 0.84 to 0.89
        _write(data / f"fox/mixed-{seed}.jpg", mixed)
    assert len(set(_groups(data).values())) == 24


def test_the_result_is_the_same_with_any_number_of_threads(data: Path) -> None:
    _write(data / "fox/copy.jpg", _COPIES["cropped"](_scene(2)))
    dataset = scan_dataset(data)
    assert find_duplicates(dataset, threads=1) == find_duplicates(dataset, threads=4)


def test_a_dataset_without_thumbnails_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="no thumbnails"):
        group_duplicates(Dataset(Path(), ("a",), (Picture("a/b.jpg", "a", "0", 1, 1),)))


def test_candidates_are_capped_but_stay_connected() -> None:
    # All are alike, and the last ones are everybody's best: without its first, a picture in the middle has no pair.
    plain, other = np.ones((200, 1), np.float32), np.linspace(0.6, 0.9, 200, dtype=np.float32)[:, None]
    pairs = [
        (int(first), int(second))
        for _, firsts, seconds, _ in candidate_pairs(plain, other, 0.5, max_per_picture=3)
        for first, second in zip(firsts, seconds, strict=True)
    ]
    assert len(pairs) <= 3 * 200
    assert all(first < second for first, second in pairs)
    assert {second for _, second in pairs} == set(range(1, 200))
