"""A worker process: it opens the model once and answers one line of JSON for each line that it reads.

The first line holds the settings. The answer to it is "ready", or "error" and a message. The worker ends when its input
ends, and so with the process that started it.
"""

import os
import sys
from typing import BinaryIO

import cv2

from trailcam_archive.batch.analysis import Analyser
from trailcam_archive.batch.tasks import AnalysisSettings, Task
from trailcam_archive.rows.record import record_to_json
from trailcam_core.errors import TrailcamError

CODE = f"from {__name__} import main; main()"
READY, ERROR = b"ready\n", b"error "


def main() -> None:
    """Be the worker: tasks on standard input, records on what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    cv2.setNumThreads(1)
    tasks = sys.stdin.buffer
    try:
        settings = AnalysisSettings.from_json(tasks.readline().decode())
        analyser = Analyser(settings.model.open(1), settings)
    except TrailcamError as error:
        _send(answers, ERROR + str(error).replace("\n", " ").encode("utf-8", "replace") + b"\n")
        return
    _send(answers, READY)
    for line in tasks:
        try:
            record = record_to_json(analyser.analyse(Task.from_json(line.decode())))
        except TrailcamError as error:  # the model itself fails: no file can be answered
            _send(answers, ERROR + str(error).replace("\n", " ").encode("utf-8", "replace") + b"\n")
            return
        _send(answers, record.encode("ascii") + b"\n")


def _send(answers: BinaryIO, line: bytes) -> None:
    try:
        answers.write(line)
        answers.flush()
    except OSError:  # the parent is gone
        os._exit(1)
