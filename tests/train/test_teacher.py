from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_edge.errors import TrainError
from trailcam_edge.manifest import InputSpec
from trailcam_edge.run_directory import Run, SplitRow
from trailcam_train import teacher
from trailcam_train.augmentation import Augmentation
from trailcam_train.pipeline import PictureStream
from trailcam_train.recipe import find_recipe
from trailcam_train.teacher import check_teacher, open_teacher

LABELS = ("blue", "green", "red")


def rows_of(photos: Path, split: str = "train") -> tuple[SplitRow, ...]:
    files = sorted(photos.rglob("*.jpg"))
    return tuple(SplitRow(f"{p.parent.name}/{p.name}", f"{n:064x}", split, p.parent.name) for n, p in enumerate(files))


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A function that gives a run without files: labels, input and rows are all that a teacher is asked for."""

    def make(labels: tuple[str, ...], rows: tuple[SplitRow, ...], size_px: int = 32) -> Run:
        run = Run(tmp_path / "big", labels, InputSpec(size_px, size_px, "crop"), rows, {}, {}, {})
        monkeypatch.setattr(teacher, "read_run", lambda path: run)
        return run

    return make


class Mean:
    """A model whose logits are the mean of each channel, however large the picture."""

    def predict_on_batch(self, images: Any) -> Any:
        return images.mean(axis=(1, 2))


def test_a_teacher_with_other_labels_is_refused_with_both_sides(photos: Path, make_run: Callable[..., Run]) -> None:
    make_run(("blue", "green", "owl"), ())

    with pytest.raises(TrainError, match=r"only the teacher: owl; only the data: red"):
        check_teacher(Path("big"), LABELS, rows_of(photos))


def test_a_teacher_that_learned_from_the_test_pictures_is_refused(photos: Path, make_run: Callable[..., Run]) -> None:
    rows = rows_of(photos)
    make_run(LABELS, rows)

    with pytest.raises(TrainError, match=r"36 pictures.*--split big.split\.csv"):
        check_teacher(Path("big"), LABELS, rows_of(photos, "test"))


def test_a_teacher_with_the_same_split_is_taken(photos: Path, make_run: Callable[..., Run]) -> None:
    run = make_run(LABELS, rows_of(photos))

    assert check_teacher(Path("big"), LABELS, rows_of(photos)) is run


def test_teacher_and_student_see_the_same_pictures_each_at_its_own_size(
    photos: Path, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    augmentation = Augmentation(flip=0.5, zoom=0.2, shear=0.2, crop_area_min=0.5, brightness=0.4)
    recipe = replace(find_recipe("cnn"), batch_size=8, augmentation=augmentation)
    rows = rows_of(photos)
    monkeypatch.setattr(teacher, "load_network", lambda path: Mean())
    student = PictureStream(
        photos, rows, LABELS, InputSpec(32, 32, "crop"), 8, recipe.seed, shuffle=True, augmentation=augmentation
    )

    teach = open_teacher(make_run(LABELS, rows, size_px=64), photos, rows, LABELS, recipe)

    for epoch in (0, 1):
        seen = [images.mean(axis=(1, 2)) for images, _ in student.epoch(epoch)]
        for ours, theirs in zip(seen, teach(epoch), strict=True):
            np.testing.assert_allclose(theirs, ours, atol=4)  # levels of 255: the sizes interpolate differently


def test_the_teacher_s_logits_come_in_the_student_s_order(
    photos: Path, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(photos)
    monkeypatch.setattr(teacher, "load_network", lambda path: Mean())
    recipe = replace(find_recipe("cnn"), batch_size=36, augmentation=Augmentation())

    same = next(iter(open_teacher(make_run(LABELS, rows), photos, rows, LABELS, recipe)(0)))
    turned = next(iter(open_teacher(make_run(("red", "blue", "green"), rows), photos, rows, LABELS, recipe)(0)))

    np.testing.assert_array_equal(turned, same[:, [1, 2, 0]])
