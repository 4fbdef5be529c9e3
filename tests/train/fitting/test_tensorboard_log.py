from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trailcam_train.fitting.checkpoints import EpochRow, InterpolationRow
from trailcam_train.fitting.tensorboard_log import LOG_FOLDER, StepRow, log_epoch, log_interpolation


def epoch(number: int, loss: float = 1.0) -> EpochRow:
    return EpochRow(number, "all", 0.1, loss, 0.5, 1.5, 0.75, 3.0)


def steps(first: int, count: int, loss: float = 2.0) -> list[StepRow]:
    return [StepRow(first + n, 1000.0 + n, loss, 0.25, 0.1) for n in range(count)]


def read(folder: Path, tag: str) -> list[tuple[int, float]]:
    found = EventAccumulator(str(folder / LOG_FOLDER))
    found.Reload()
    return [(event.step, round(event.value, 5)) for event in found.Scalars(tag)]


def test_tensorboard_reads_every_epoch_and_its_steps(tmp_path: Path) -> None:
    log_epoch(tmp_path, epoch(1, 1.25), steps(1, 3))
    log_epoch(tmp_path, epoch(2, 0.75), steps(4, 3))

    assert read(tmp_path, "epoch/loss") == [(1, 1.25), (2, 0.75)]
    assert read(tmp_path, "epoch/validation_accuracy") == [(1, 0.75), (2, 0.75)]
    assert [step for step, _ in read(tmp_path, "step/loss")] == [1, 2, 3, 4, 5, 6]


def test_an_epoch_that_is_redone_replaces_its_steps(tmp_path: Path) -> None:
    log_epoch(tmp_path, epoch(1, 9.0), steps(1, 3, 9.0))
    log_epoch(tmp_path, epoch(1, 1.0), steps(1, 3, 2.0))

    assert read(tmp_path, "epoch/loss") == [(1, 1.0)]
    assert read(tmp_path, "step/loss") == [(1, 2.0), (2, 2.0), (3, 2.0)]


def test_a_long_epoch_is_thinned_to_means(tmp_path: Path) -> None:
    rows = [StepRow(n, 0.0, float(n % 2), 0.5, 0.1) for n in range(1, 401)]

    log_epoch(tmp_path, epoch(1), rows)

    assert read(tmp_path, "step/loss") == [(20 * n, 0.5) for n in range(1, 21)]


def test_a_blend_is_shown_at_the_end_of_its_phase(tmp_path: Path) -> None:
    log_epoch(tmp_path, epoch(1), steps(1, 1))
    log_epoch(tmp_path, epoch(2), steps(2, 1))
    log_interpolation(tmp_path, InterpolationRow(1, 2, "all", 0.5, 1.25, 0.8))

    assert read(tmp_path, "blend/validation_loss") == [(2, 1.25)]
    assert max(path.name for path in (tmp_path / LOG_FOLDER).iterdir()).endswith("00002.blend")


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import trailcam_core.files.atomic as disk

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        log_epoch(tmp_path, epoch(1), steps(1, 1))
    assert not list((tmp_path / LOG_FOLDER).iterdir())
