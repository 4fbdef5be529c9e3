"""One task of a Slurm job that trains, run by test_multi_host.py; its words are those of the command.

With KILL_AT set, the process is killed when that fraction of the training is done, in the middle of an epoch.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from trailcam.commands import train
from trailcam.main import main
from trailcam_core.jobs.progress import Progress

KILL_AT = float(os.environ.get("KILL_AT", "inf"))


@contextmanager
def killing_progress() -> Iterator[Progress]:
    """Give a progress that kills its process."""

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training" and done > KILL_AT * total:
            os.kill(os.getpid(), signal.SIGKILL)

    yield progress


train.job_progress = killing_progress
sys.exit(main(sys.argv[1:]))
