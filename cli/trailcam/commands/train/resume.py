"""How to go on with an interrupted ``trailcam train``: the command that its messages print."""

import os
import sys
from pathlib import Path

from trailcam_core.errors.command_line import command_line

_LOST_HOST = (
    "trailcam: another host of this training does not respond, and JAX's messages are above. The checkpoints of the "
    'last finished epoch are kept: go on with "{} RUN{}" on every host.'
)


def describe_lost_host(hosts: str) -> str:
    """Return the message for a host that JAX aborts; ``hosts`` is the value of ``--hosts``."""
    return _LOST_HOST.format(command_line("train", "--resume"), "".join(f" {word}" for word in _hosts_option(hosts)))


def print_resume_command(target: Path, hosts: str) -> None:
    """Print how to resume a run, if it began and is not finished.

    Args:
        target: the run, as this host names it.
        hosts: the value of ``--hosts``.
    """
    from trailcam_train.fitting.multi_host import common_run
    from trailcam_train.run.partial_run import partial_folder

    finished = common_run(partial_folder(target).with_suffix(""))
    if partial_folder(target).is_dir():
        resume = command_line("train", "--resume", common_run(target), *_hosts_option(hosts))
        print(f'\ntrailcam: stopped. Go on with "{_environment()}{resume}".', file=sys.stderr)
    elif finished.is_dir():  # the signal came between the last rename and the end
        export = command_line("export", finished)
        print(f'\ntrailcam: stopped, but {finished} is finished. Convert it with "{export}".', file=sys.stderr)
    else:
        print("\ntrailcam: stopped before the training began; nothing was written.", file=sys.stderr)


def _hosts_option(hosts: str) -> tuple[str, ...]:
    """Return ``--hosts auto`` where it was given."""
    return ("--hosts", hosts) if hosts == "auto" else ()


def _environment() -> str:
    """Return the environment variables of Keras, to repeat on resume."""
    names = ["KERAS_BACKEND", *sorted(name for name in os.environ if name.startswith("KERAS_DISTRIBUTION_"))]
    return "".join(f"{name}={os.environ[name]} " for name in names if os.environ.get(name))
