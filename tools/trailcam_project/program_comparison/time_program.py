"""Time one run of a program from outside: lines on its standard output, memory and processor time from the kernel."""

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from trailcam_benchmarks.host.machine import read_memory_mb
from trailcam_project.program_comparison.alternatives import Program, ProgramInputs

WARMUP_PICTURES = 5
_LIMIT_S = 1800.0  # for one run of one program


@dataclass(frozen=True)
class ProgramRun:
    """One run of one program: milliseconds to the first answer and between answers, peak memory, labels.

    ``busy_cores`` is processor time divided by time, over the pictures after the warm-up.
    """

    startup_ms: float
    picture_ms: tuple[float, ...]
    peak_mb: float | None
    labels: dict[str, str]
    busy_cores: float | None = None


class ProgramError(Exception):
    """A program failed or did not answer every picture; the text has the reason."""


def time_program(program: Program, folder: Path, inputs: ProgramInputs, cores: int | None = None) -> ProgramRun:
    """Run a program once over all pictures, on the first ``cores`` of those that this process may use.

    Raises:
        ProgramError: it fails, or does not answer every picture.
    """
    stamps_s: list[float] = []
    processor_s: list[float | None] = []
    labels: dict[str, str] = {}
    peak_mb: float | None = None
    with tempfile.TemporaryDirectory(prefix="trailcam-versus-") as scratch, tempfile.TemporaryFile() as errors:
        start_s = time.perf_counter()
        with _on_cores(cores):  # which a process inherits
            process = subprocess.Popen(
                program.command(folder, inputs),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=scratch,
                # The second keeps Ultralytics from writing its settings into the home folder.
                env=os.environ | {"PYTHONUNBUFFERED": "1", "YOLO_CONFIG_DIR": scratch},
                text=True,
            )
        hang = threading.Timer(_LIMIT_S, process.kill)
        hang.start()
        try:
            for line in cast(IO[str], process.stdout):
                stamp_s = time.perf_counter()
                matched = program.answer.match(line)
                if matched is None:
                    continue
                stamps_s.append(stamp_s)
                processor_s.append(_processor_s(process.pid))
                found = matched.groupdict()
                if found.get("name") and found.get("label"):
                    labels[str(found["name"])] = str(found["label"])
                peak_mb = read_memory_mb(Path(f"/proc/{process.pid}/status"))[1] or peak_mb
            code = process.wait()
        finally:
            hang.cancel()
            process.kill()
            process.wait()
            cast(IO[str], process.stdout).close()
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    wanted = len(list(inputs.pictures.iterdir()))
    if time.perf_counter() - start_s >= _LIMIT_S:
        raise ProgramError(f"ended after {_LIMIT_S:.0f} s with {len(stamps_s)} answers to {wanted} pictures")
    if code or len(stamps_s) != wanted:
        last = lines[-1][:200] if lines else "no output"
        raise ProgramError(f"exit code {code}, {len(stamps_s)} answers to {wanted} pictures: {last}")
    steps_ms = np.diff(stamps_s)[WARMUP_PICTURES:] * 1e3
    first_s, last_s = processor_s[WARMUP_PICTURES], processor_s[-1]
    took_s = stamps_s[-1] - stamps_s[WARMUP_PICTURES]
    busy = None if first_s is None or last_s is None else (last_s - first_s) / took_s
    return ProgramRun((stamps_s[0] - start_s) * 1e3, tuple(steps_ms.tolist()), peak_mb, labels, busy)


@contextlib.contextmanager
def _on_cores(count: int | None) -> Iterator[None]:
    """Restrict this thread, and the processes it starts meanwhile, to the first ``count`` of its cores."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _processor_s(pid: int) -> float | None:
    """Return the processor time of all threads of a process in seconds; None if the kernel does not report it.

    Source: proc_pid_stat(5), utime and stime; the name before them, in brackets, may hold anything.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None
