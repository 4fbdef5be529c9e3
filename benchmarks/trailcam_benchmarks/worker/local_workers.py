"""Which program measures a runtime: this Python, or one of an environment that has another interpreter."""

from collections.abc import Sequence
from pathlib import Path

from trailcam_benchmarks.host.virtual_environments import TFLITE_RUNTIME, packages_folder, python_of
from trailcam_benchmarks.worker.spawn import CHILD, Answers, ChildError, Run, run_child
from trailcam_benchmarks.worker.worker import Request
from trailcam_core.errors import DeviceError

__all__ = ["RUNTIMES", "local_run"]

RUNTIMES = {"installed": "", "tflite-runtime": TFLITE_RUNTIME.name}


def local_run(runtimes: Sequence[str], cache: Path) -> Run:
    """Return what starts processes on this machine; environments that ``runtimes`` need are made now.

    A runtime that cannot be had here gives ``ChildError``, which becomes a row that says why.

    Args:
        runtimes: values of ``RUNTIMES``.
        cache: folder of the environments.
    """
    commands: dict[str, tuple[str, ...]] = {}
    refusals: dict[str, str] = {}
    if TFLITE_RUNTIME.name in runtimes:
        try:
            python = python_of(TFLITE_RUNTIME, cache)
            commands[TFLITE_RUNTIME.name] = ("env", f"PYTHONPATH={packages_folder(cache)}", str(python), *CHILD[1:])
        except DeviceError as error:
            refusals[TFLITE_RUNTIME.name] = str(error)

    def run(request: Request) -> Answers:
        if request.runtime in refusals:
            raise ChildError(refusals[request.runtime])
        yield from run_child(request, commands.get(request.runtime, CHILD))

    return run
