from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.datasets.run_directory import Run, SplitRow
from trailcam_core.errors import TrainError
from trailcam_core.spec import InputSpec
from trailcam_train.fitting import teacher
from trailcam_train.fitting.teacher import (
    Teacher,
    cache_teacher_answers,
    check_teachers,
    combine_teachers,
    open_teacher,
)
from trailcam_train.input.augmentation import Augmentation
from trailcam_train.input.epoch_order import EpochOrder
from trailcam_train.input.pipeline import PictureReader, PictureStream
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipes.find import find_recipe

LABELS = ("blue", "green", "red")


def rows_of(photos: Path, split: str = "train") -> tuple[SplitRow, ...]:
    files = sorted(photos.rglob("*.jpg"))
    return tuple(SplitRow(f"{p.parent.name}/{p.name}", f"{n:064x}", split, p.parent.name) for n, p in enumerate(files))


def student_of(photos: Path, recipe: Recipe, views: int = 0) -> PictureStream:
    rows = rows_of(photos)
    order = EpochOrder(recipe.seed, shuffle=True, sampling=recipe.sampling, views=views)
    reader = PictureReader(photos, InputSpec(32, 32, "crop"), recipe.augmentation)
    return PictureStream(rows, LABELS, recipe.batch_size, order, reader)


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A function that gives a run without files: labels, input and rows are all that a teacher is asked for."""

    def make(labels: tuple[str, ...], rows: tuple[SplitRow, ...], size_px: int = 32) -> Run:
        run = Run(tmp_path / f"big{size_px}", labels, InputSpec(size_px, size_px, "crop"), rows, {}, {}, {})
        monkeypatch.setattr(teacher, "read_run", lambda path: run)
        return run

    return make


def mean(images: Any) -> Any:
    """Answer with the mean of each channel, however large the picture."""
    return images.mean(axis=(1, 2))


@pytest.fixture
def teachers_answer_with_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher, "load_network", lambda path: None)
    monkeypatch.setattr(teacher, "compile_inference", lambda network: mean)


def test_a_teacher_with_other_labels_is_refused_with_both_sides(photos: Path, make_run: Callable[..., Run]) -> None:
    make_run(("blue", "green", "owl"), ())

    with pytest.raises(TrainError, match=r"only the teacher: owl; only the data: red"):
        check_teachers("big", LABELS, rows_of(photos))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_teacher_that_learned_from_pictures_kept_for_judging_is_refused(
    split: str, photos: Path, make_run: Callable[..., Run]
) -> None:
    make_run(LABELS, rows_of(photos))

    with pytest.raises(TrainError, match=r"36 pictures.*--split big.split\.csv"):
        check_teachers("big", LABELS, rows_of(photos, split))


def test_teachers_with_the_same_split_are_taken(photos: Path, make_run: Callable[..., Run]) -> None:
    run = make_run(LABELS, rows_of(photos))

    assert check_teachers("big, big", LABELS, rows_of(photos)) == (run, run)


@pytest.mark.usefixtures("teachers_answer_with_means")
def test_teacher_and_student_see_the_same_pictures_each_at_its_own_size(
    photos: Path, make_run: Callable[..., Run]
) -> None:
    augmentation = Augmentation(flip=0.5, zoom=0.2, shear=0.2, crop_area_min=0.5, brightness=0.4)
    recipe = replace(find_recipe("cnn"), batch_size=8, augmentation=augmentation)
    rows = rows_of(photos)
    student = student_of(photos, recipe)

    found = open_teacher([make_run(LABELS, rows, size_px=64)], photos, rows, LABELS, recipe)

    for epoch in (0, 1):
        seen = [images.mean(axis=(1, 2)) for images, _ in student.epoch(epoch)]
        for ours, theirs in zip(seen, found.epoch(epoch), strict=True):
            np.testing.assert_allclose(theirs, ours, atol=4)  # levels of 255: the sizes interpolate differently


@pytest.mark.usefixtures("teachers_answer_with_means")
def test_the_teacher_s_logits_come_in_the_student_s_order(photos: Path, make_run: Callable[..., Run]) -> None:
    rows = rows_of(photos)
    recipe = replace(find_recipe("cnn"), batch_size=36, augmentation=Augmentation())

    same = next(iter(open_teacher([make_run(LABELS, rows)], photos, rows, LABELS, recipe).epoch(0)))
    other = make_run(("red", "blue", "green"), rows)
    turned = next(iter(open_teacher([other], photos, rows, LABELS, recipe).epoch(0)))

    np.testing.assert_array_equal(turned, same[:, [1, 2, 0]])


@pytest.mark.usefixtures("teachers_answer_with_means")
@pytest.mark.parametrize("sampling", ["natural", "balanced"])
def test_stored_answers_are_those_for_the_very_pixels_that_the_student_sees(
    sampling: str, photos: Path, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    """Two blue pictures are left: a balanced epoch shows each several times, and each time in its own view."""
    augmentation = Augmentation(flip=0.5, zoom=0.3, brightness=0.4, noise=20, erase=0.5)
    recipe = replace(find_recipe("cnn"), batch_size=5, augmentation=augmentation, sampling=sampling)
    rows = tuple(row for n, row in enumerate(rows_of(photos)) if row.label != "blue" or n % 6 == 0)
    order = EpochOrder(shuffle=True, sampling=sampling, views=2)
    student = PictureStream(rows, LABELS, 5, order, PictureReader(photos, InputSpec(32, 32, "crop"), augmentation))
    live = open_teacher([make_run(LABELS, rows)], photos, rows, LABELS, recipe)

    stored = cache_teacher_answers(live, student, 2, 3, tmp_path)

    for epoch in range(3):
        seen = list(student.epoch(epoch))
        for (images, _), answers in zip(seen, stored.epoch(epoch), strict=True):
            expected = images.mean(axis=(1, 2))
            np.testing.assert_allclose(answers, expected - expected.max(axis=1, keepdims=True), atol=0.05)  # float16


@pytest.mark.usefixtures("teachers_answer_with_means")
def test_answers_are_taken_up_view_by_view_after_a_stop(
    photos: Path, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    recipe = replace(find_recipe("cnn"), batch_size=16)
    rows = rows_of(photos)
    student = student_of(photos, recipe, views=2)

    class Counting:
        def __init__(self, inner: Teacher) -> None:
            self.inner, self.views = inner, []

        def epoch(self, number: int) -> Any:
            raise AssertionError("answers are stored per view")

        def view(self, number: int) -> Any:
            self.views.append(number)
            if len(self.views) == 2:
                raise KeyboardInterrupt
            return self.inner.view(number)

    counting = Counting(open_teacher([make_run(LABELS, rows)], photos, rows, LABELS, recipe))
    with pytest.raises(KeyboardInterrupt):
        cache_teacher_answers(counting, student, 3, 3, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["teacher-0.npy"]

    cache_teacher_answers(counting, student, 3, 3, tmp_path)

    assert counting.views == [0, 1, 1, 2]


@pytest.mark.usefixtures("teachers_answer_with_means")
def test_several_teachers_answer_with_the_mean_of_their_probabilities(
    photos: Path, make_run: Callable[..., Run]
) -> None:
    rows = rows_of(photos)
    recipe = replace(find_recipe("cnn"), batch_size=36, augmentation=Augmentation())
    runs = [make_run(LABELS, rows), make_run(("red", "blue", "green"), rows, size_px=48)]

    both = next(iter(open_teacher(runs, photos, rows, LABELS, recipe).epoch(0)))
    apart = [next(iter(open_teacher([run], photos, rows, LABELS, recipe).epoch(0))) for run in runs]

    shares = [np.exp(a - a.max(axis=1, keepdims=True)) for a in apart]
    shares = [s / s.sum(axis=1, keepdims=True) for s in shares]
    np.testing.assert_allclose(np.exp(both), np.mean(shares, axis=0), atol=1e-5)


def test_a_mean_of_certain_and_opposed_teachers_stays_finite() -> None:
    answer = combine_teachers([np.array([[900.0, 0.0]]), np.array([[0.0, 900.0]])])

    np.testing.assert_allclose(np.exp(answer), [[0.5, 0.5]])


def test_a_teacher_that_answers_with_no_number_is_refused_and_nothing_is_stored(photos: Path, tmp_path: Path) -> None:
    class Broken:
        def epoch(self, number: int) -> Any:
            return self.view(number)

        def view(self, number: int) -> Any:
            yield np.full((36, 3), np.nan, np.float32)

    with pytest.raises(TrainError, match="not finite"):
        cache_teacher_answers(Broken(), student_of(photos, find_recipe("cnn")), 1, 3, tmp_path)
    assert not list(tmp_path.iterdir())
