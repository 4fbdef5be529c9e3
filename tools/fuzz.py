"""Fuzz every reader of files from outside: mutated inputs must give a result or an error of Trailcam.

    make fuzz                                      every target of the table, for 10 minutes in all
    make fuzz TARGETS="pictures models" MINUTES=60 only these; fuzz_targets.py has the table

Each input is read in a process that is forked from this one, so that a crash costs one input. A target fails with an
exception that is no ``TrailcamError``, a signal, more peak memory than its bound, or more than 30 s. Failing inputs are
written to ``.fuzz/``; exit code 3 if there are any. A short run is part of the tests.

LiteRT and OpenCV abort on some files; that fails only if the child process of the commands does not contain it.
"""

import argparse
import faulthandler
import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fuzz_targets import CONTAINED, TARGETS, Target
from trailcam_core.errors import TrailcamError

_LONGEST_S = 30
_NUMBERS = (0, 1, 2, 7, 8, 16, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutate(seeds: list[bytes], draw: random.Random) -> bytes:
    """Return a seed with one to four changes: bytes, numbers of 2 or 4 bytes, cuts, copies, parts of other seeds."""
    content = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 4))):
        if len(content) < 8:
            break
        place, size = draw.randrange(len(content) - 4), draw.randrange(1, 64)
        kind = draw.randrange(7)
        if kind == 0:
            content[place] = draw.randrange(256)
        elif kind == 1:
            content[place] ^= 1 << draw.randrange(8)
        elif kind == 2:
            struct.pack_into(draw.choice("<>") + "I", content, place, draw.choice(_NUMBERS))
        elif kind == 3:
            struct.pack_into(draw.choice("<>") + "H", content, place, draw.choice(_NUMBERS) & 0xFFFF)
        elif kind == 4:
            del content[place : draw.choice((place + size, len(content)))]
        elif kind == 5:
            content[place:place] = content[place : place + size]
        else:
            content[place : place + size] = draw.choice(seeds)[place : place + size]
    return bytes(content)


def run_target(name: str, seed: int, end_s: float, most: int, kept: Path) -> Iterator[str]:
    """Yield a line for each failure of a target, until ``end_s`` or after ``most`` inputs, and then a summary."""
    target, seeds = TARGETS[name], TARGETS[name].seeds()
    tried = contained = highest_mb = 0
    with tempfile.TemporaryDirectory() as folder:
        while tried < most and time.monotonic() < end_s:
            count = min(target.batch, most - tried)
            report = Path(folder) / "report"
            report.write_text("0 0")
            pid = os.fork()
            if not pid:
                _be_child(target, seeds, (seed, tried, count), Path(folder))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            done, memory_mb, *problem = report.read_text().split(" ", 2)
            highest_mb = max(highest_mb, int(memory_mb))
            if status == 0:
                tried += count
                continue
            number = tried + int(done)
            tried = number + 1
            content = mutate(seeds, _draw(seed, number))
            if status < 0 and name in CONTAINED and CONTAINED[name](content, Path(folder) / "again.tflite"):
                contained += 1
                continue
            path = kept / f"{name}-{seed}-{number}.bin"
            path.write_bytes(content)
            reason = problem[0] if problem else signal.Signals(-status).name if status < 0 else f"exit code {status}"
            yield f"{name}: {path.name}: {reason}"
    yield f"{name}: {tried} inputs, at most {highest_mb} MB for one" + (f", {contained} contained" if contained else "")


def _draw(seed: int, number: int) -> random.Random:
    return random.Random(f"{seed} {number}")  # noqa: S311 - repeatable mutations, no secret


def _be_child(target: Target, seeds: list[bytes], numbers: tuple[int, int, int], folder: Path) -> None:
    """Read inputs until one fails, and exit."""
    faulthandler.disable()  # which pytest turns on
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    seed, first, count = numbers
    highest_mb, problem, position = 0, "", 0
    for position in range(count):
        content = mutate(seeds, _draw(seed, first + position))
        (folder / "report").write_text(f"{position} {highest_mb}")
        signal.alarm(_LONGEST_S)
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak begins again
        before_mb = _peak_mb()
        try:
            target.read(content, folder / "input")
        except TrailcamError:
            problem = ""
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        used_mb = _peak_mb() - before_mb
        highest_mb = max(highest_mb, used_mb)
        if used_mb > target.memory_mb:
            problem = f"{used_mb} MB, expected at most {target.memory_mb}"
        if problem:
            break
    (folder / "report").write_text(f"{position} {highest_mb} {problem}".rstrip())
    os._exit(1 if problem else 0)


def _peak_mb() -> int:
    return int(Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0]) // 1000


def main() -> int:
    """Run the command line; return 3 if an input failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if left out")
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all targets together, default 10")
    parser.add_argument("--inputs", type=int, default=10**9, help="most inputs of each target")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the mutations, default the time")
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        parser.error(f"no target {unknown.pop()!r}; there are {', '.join(TARGETS)}")
    kept = Path(".fuzz")
    kept.mkdir(exist_ok=True)
    failed = 0
    for name in names:
        end_s = time.monotonic() + arguments.minutes * 60 / len(names)
        *failures, summary = run_target(name, arguments.seed, end_s, arguments.inputs, kept)
        failed += len(failures)
        print(*failures, summary, sep="\n", flush=True)
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
