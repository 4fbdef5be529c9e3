"""Workers on this machine: with this Python, or with that of an environment with another runtime."""

from collections.abc import Sequence
from pathlib import Path

from trailcam_benchmarks.host.virtual_environments import TFLITE_RUNTIME, packages_folder, python_of
from trailcam_benchmarks.worker.spawn import WORKER_COMMAND, Replies, Run, WorkerError, run_worker
from trailcam_benchmarks.worker.worker import Request
from trailcam_core.errors import DeviceError

RUNTIMES = {"installed": "", "tflite-runtime": TFLITE_RUNTIME.name}


def local_run(runtimes: Sequence[str], cache: Path) -> Run:
    """Return a function that starts workers on this machine; environments that ``runtimes`` need are created now.

    A runtime that cannot be installed here raises ``WorkerError``, which becomes a row with the reason.

    Args:
        runtimes: values of ``RUNTIMES``.
        cache: folder of the environments.
    """
    commands: dict[str, tuple[str, ...]] = {}
    refusals: dict[str, str] = {}
    if TFLITE_RUNTIME.name in runtimes:
        try:
            python = python_of(TFLITE_RUNTIME, cache)
            commands[TFLITE_RUNTIME.name] = (
                "env",
                f"PYTHONPATH={packages_folder(cache)}",
                str(python),
                *WORKER_COMMAND[1:],
            )
        except DeviceError as error:
            refusals[TFLITE_RUNTIME.name] = str(error)

    def run(request: Request) -> Replies:
        if request.runtime in refusals:
            raise WorkerError(refusals[request.runtime])
        yield from run_worker(request, commands.get(request.runtime, WORKER_COMMAND))

    return run
