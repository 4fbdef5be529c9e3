"""Logs for TensorBoard: ``tensorboard --logdir runs`` shows every run, also one that is still training.

    RUN/tensorboard/
        events.out.tfevents.00001          epoch 1: its steps, sparsely, and its figures
        events.out.tfevents.00002
        events.out.tfevents.00002.blend    the weight interpolation at the end of a phase

A file per epoch: an epoch that is repeated after an interruption replaces its file, so no step occurs twice.
TensorBoard reads the files of a folder in the order of their names. TensorFlow is not needed.
"""

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from trailcam_core.files.atomic import write_file
from trailcam_train.fitting.checkpoints import EpochRow, InterpolationRow

LOG_FOLDER = "tensorboard"

_POINTS = 20  # per epoch: enough to see a loss move within it
_FILE = "events.out.tfevents"  # TensorBoard reads files with "tfevents" in the name
_VERSION = "brain.Event:2"  # of the format; the first record of every file. Source: TensorFlow's events_writer.h


@dataclass(frozen=True)
class StepRow:
    """One batch of training: ``step`` counts them from 1 over all phases, ``time_s`` is seconds since 1970."""

    step: int
    time_s: float
    loss: float
    accuracy: float
    learning_rate: float


def log_epoch(folder: Path, epoch: EpochRow, steps: Sequence[StepRow]) -> None:
    """Write the file of one epoch below the run ``folder``; an older one is replaced.

    Of its steps, about twenty points are written, each the mean of a stretch.

    Raises:
        OSError: the disk is full or failing; the older file stays.
    """
    length = -(-len(steps) // _POINTS)
    events = []
    for first in range(0, len(steps), length):
        stretch = steps[first : first + length]
        figures = {
            "step/loss": fmean(row.loss for row in stretch),
            "step/accuracy": fmean(row.accuracy for row in stretch),
            "step/learning_rate": stretch[-1].learning_rate,
        }
        events.append(_event(stretch[-1].step, stretch[-1].time_s, figures))
    figures = {
        "epoch/loss": epoch.loss,
        "epoch/accuracy": epoch.accuracy,
        "epoch/learning_rate": epoch.learning_rate,
        "epoch/validation_loss": epoch.validation_loss,
        "epoch/validation_accuracy": epoch.validation_accuracy,
        "epoch/seconds": epoch.seconds,
    }
    _write(folder, f"{_FILE}.{epoch.epoch:05d}", [*events, _event(epoch.epoch, time.time(), figures)])


def log_interpolation(folder: Path, blend: InterpolationRow) -> None:
    """Write the file of one weight interpolation below the run ``folder``; its step is the last epoch of the phase.

    Raises:
        OSError: the disk is full or failing.
    """
    figures = {
        "blend/validation_loss": blend.validation_loss,
        "blend/validation_accuracy": blend.validation_accuracy,
    }
    _write(folder, f"{_FILE}.{blend.after:05d}.blend", [_event(blend.after, time.time(), figures)])


def _event(step: int, time_s: float, figures: dict[str, float]) -> Event:
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items()]
    return Event(wall_time=time_s, step=step, summary=Summary(value=values))


def _write(folder: Path, name: str, events: list[Event]) -> None:
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in [Event(wall_time=events[0].wall_time, file_version=_VERSION), *events]:
        writer.write(event.SerializeToString())
    (folder / LOG_FOLDER).mkdir(exist_ok=True)
    write_file(folder / LOG_FOLDER / name, buffer.getvalue())
