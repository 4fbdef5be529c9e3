import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import fit_image
from trailcam_core.spec import InputSpec
from trailcam_train.input.augmentation import Augmentation
from trailcam_train.input.epoch_order import IN_ORDER, EpochOrder
from trailcam_train.input.pipeline import DecodedCache, PictureReader, PictureStream

_SPEC = InputSpec(24, 32, "crop")
_LABELS = ("fox", "hare")
_CHANGES = Augmentation(zoom=0.2, flip=0.5, brightness=0.2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SplitRow]]:
    root = tmp_path_factory.mktemp("data")
    chance = np.random.default_rng(0)
    rows = []
    for number in range(23):
        label = _LABELS[number % 3 == 0]
        file = f"{number}.{'jpg' if number % 2 else 'png'}"
        shape = (*chance.integers(20, 130, 2), 3)
        assert cv2.imwrite(str(root / file), chance.integers(0, 256, shape, np.uint8))
        rows.append(SplitRow(file, "0" * 64, "train", label))
    return root, rows


def _stream(
    data: tuple[Path, list[SplitRow]],
    seed: int = 7,
    shuffle: bool = True,
    augmentation: Augmentation | None = _CHANGES,
    threads: int | None = None,
    cache: DecodedCache | None = None,
) -> PictureStream:
    root, rows = data
    reader = PictureReader(root, _SPEC, augmentation, threads, cache)
    return PictureStream(rows, _LABELS, 5, EpochOrder(seed, shuffle), reader)


def _epoch(stream: PictureStream, number: int = 0, start_batch: int = 0) -> tuple[np.ndarray, np.ndarray]:
    batches = list(stream.epoch(number, start_batch))
    return np.concatenate([images for images, _ in batches]), np.concatenate([ids for _, ids in batches])


def test_without_augmentation_the_pictures_are_those_of_the_device_in_order(
    data: tuple[Path, list[SplitRow]],
) -> None:
    root, rows = data
    images, class_ids = _epoch(_stream(data, shuffle=False, augmentation=None))
    assert images.dtype == np.uint8
    assert class_ids.dtype == np.int32
    assert class_ids.tolist() == [_LABELS.index(row.label) for row in rows]
    for image, row in zip(images, rows, strict=True):
        assert np.array_equal(image, fit_image(read_image(root / row.file, _SPEC), _SPEC))


def test_batches_are_full_but_the_last(data: tuple[Path, list[SplitRow]]) -> None:
    stream = _stream(data)
    assert [len(ids) for _, ids in stream.epoch(0)] == [5, 5, 5, 5, 3]
    assert len(stream) == 5


def test_an_epoch_is_the_same_with_any_number_of_threads(data: tuple[Path, list[SplitRow]]) -> None:
    first, second = (_epoch(_stream(data, threads=threads), 3) for threads in (1, 6))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


@pytest.mark.parametrize("budget_bytes", [0, 40_000, 10_000_000])
def test_a_cache_changes_nothing(data: tuple[Path, list[SplitRow]], budget_bytes: int) -> None:
    cache = DecodedCache(budget_bytes)
    stream = _stream(data, cache=cache)
    plain = _stream(data)
    for number in range(2):
        assert np.array_equal(_epoch(stream, number)[0], _epoch(plain, number)[0])


def test_a_picture_beyond_the_budget_is_read_again(data: tuple[Path, list[SplitRow]], tmp_path: Path) -> None:
    root, rows = data
    (tmp_path / "a.png").write_bytes((root / rows[0].file).read_bytes())
    stream = _stream((tmp_path, [SplitRow("a.png", "", "train", "fox")]), cache=DecodedCache(budget_bytes=1))
    _epoch(stream)
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png"):
        _epoch(stream)


def test_a_cached_picture_is_not_read_again(data: tuple[Path, list[SplitRow]], tmp_path: Path) -> None:
    root, rows = data
    (tmp_path / "a.png").write_bytes((root / rows[0].file).read_bytes())
    reader = PictureReader(tmp_path, _SPEC, cache=DecodedCache())
    stream = PictureStream([SplitRow("a.png", "", "train", "fox")], _LABELS, 1, IN_ORDER, reader)
    before = _epoch(stream)[0]
    (tmp_path / "a.png").unlink()
    assert np.array_equal(_epoch(stream)[0], before)


def test_a_stopped_epoch_goes_on_where_it_was(data: tuple[Path, list[SplitRow]]) -> None:
    stream = _stream(data)
    whole, rest = _epoch(stream, 2), _epoch(stream, 2, start_batch=3)
    assert np.array_equal(rest[0], whole[0][15:])
    assert np.array_equal(rest[1], whole[1][15:])
    assert list(stream.epoch(2, start_batch=5)) == []


def test_each_epoch_has_its_own_order_and_changes_and_shows_every_picture_once(
    data: tuple[Path, list[SplitRow]],
) -> None:
    stream = _stream(data)
    orders = [stream.order(number).tolist() for number in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert all(sorted(order) == list(range(23)) for order in orders)
    still = _stream(data, shuffle=False)
    assert not np.array_equal(_epoch(still, 0)[0], _epoch(still, 1)[0])
    assert not np.array_equal(_epoch(still, 0)[0], _epoch(_stream(data, shuffle=False, seed=8), 0)[0])


@pytest.mark.parametrize(("flip", "mirrored"), [(0.5, True), (0.0, False)])
def test_stored_views_come_back_mirrored_where_pictures_may_be(
    data: tuple[Path, list[SplitRow]], flip: float, mirrored: bool
) -> None:
    root, rows = data
    reader = PictureReader(root, _SPEC, Augmentation(zoom=0.2, flip=flip))
    stream = PictureStream(rows, _LABELS, 5, EpochOrder(views=2), reader)
    first, second, third, fourth, fifth = (_epoch(stream, number)[0] for number in range(5))
    assert not np.array_equal(first, second)
    assert np.array_equal(third, first[:, :, ::-1] if mirrored else first)
    assert np.array_equal(fourth, second[:, :, ::-1] if mirrored else second)
    assert np.array_equal(fifth, first)
    assert np.array_equal(np.concatenate([images for images, _ in stream.view(1)]), second)


def test_a_row_that_stands_twice_is_changed_in_two_ways(data: tuple[Path, list[SplitRow]]) -> None:
    root, rows = data
    images, _ = _epoch(_stream((root, [rows[0], rows[0]]), shuffle=False))
    assert not np.array_equal(images[0], images[1])


def test_a_picture_that_became_unreadable_is_named(data: tuple[Path, list[SplitRow]], tmp_path: Path) -> None:
    rows = [SplitRow("gone.jpg", "", "train", "fox")]
    with pytest.raises(DataError, match=r"gone.jpg.*readable when the split was made"):
        _epoch(_stream((tmp_path, rows)))


def test_an_epoch_that_is_left_early_leaves_no_threads(data: tuple[Path, list[SplitRow]]) -> None:
    before = threading.active_count()
    epoch = _stream(data, threads=4).epoch(0)
    next(epoch)
    assert threading.active_count() > before
    epoch.close()
    assert threading.active_count() == before


def test_a_label_that_is_not_listed_is_a_wrong_call(data: tuple[Path, list[SplitRow]]) -> None:
    root, rows = data
    with pytest.raises(ValueError, match="'hare', which labels"):
        PictureStream(rows, ("fox",), 5, IN_ORDER, PictureReader(root, _SPEC))
