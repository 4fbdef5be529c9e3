"""The project's own figures: everything measured on this machine, a file for each part.

    python -m trailcam_benchmarks.results --bundles exports/ --keras runs/mine --data animals10/
    python -m trailcam_benchmarks.figures            then: the tables of docs/benchmarks.md from these files

    bundles         every bundle below --bundles and the built-in one, one thread, 1,024 frames each
    repeat          the same again, with a quarter of the frames
    agreement       whether the two agree
    runtimes        one network: float32, int8 and ONNX on LiteRT, tflite-runtime and ONNX Runtime, with 1, 2, 4 threads
    keras           its Keras model beside its float32 bundle
    live_loop       overhead, age of answers, memory
    training_input  pictures into training, against Keras' own loaders
    data_tools      data check, against merely decoding
    versus          whole programs that one might use instead
    soak            with --soak 30m: the built-in bundle at full load

A part that is there is not measured again (--again does), so an interruption costs the part that was running; of the
interrupted one nothing is written. Nothing else should run meanwhile. Paths are not written, bundles are known by name,
version and digest.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from trailcam_benchmarks.agreement import judge_agreement
from trailcam_benchmarks.environments import TFLITE_RUNTIME, environments_folder
from trailcam_benchmarks.machine import Condition, Machine, describe_machine, read_condition
from trailcam_benchmarks.result import Result, read_result, to_text
from trailcam_benchmarks.runs import local_run
from trailcam_benchmarks.session import Plan, measure
from trailcam_edge.bundle import open_bundle
from trailcam_edge.classifier import BUILTIN_BUNDLE
from trailcam_edge.disk import write_file
from trailcam_edge.errors import DataError, TrailcamError
from trailcam_edge.manifest import Manifest
from trailcam_edge.progress import Progress

__all__ = ["PARTS", "Printed", "Wanted", "main"]

_FLOOR_SHARE = 0.25
_FEW = {"frames": 128, "min_time_s": 3.0, "rounds": 6}  # where another runtime is ten times as slow


@dataclass(frozen=True)
class Wanted:
    """What is to be measured and where its files go."""

    bundles: tuple[Path, ...]
    keras: Path | None
    data: Path | None
    out: Path
    frames: int
    min_time_s: float
    rounds: int
    soak_s: float


@dataclass(frozen=True)
class Printed:
    """What a script printed, line by line, and where; ``command`` without paths of this machine."""

    command: str
    started: str
    machine: Machine
    before: Condition
    after: Condition
    lines: tuple[dict[str, Any], ...]
    schema_version: int = 1


class NotWanted(Exception):  # noqa: N818 - it is no error
    """This part was not asked for; the text says how to."""


def _plan(wanted: Wanted, part: int) -> Plan:
    frames, min_time_s = wanted.frames // part, wanted.min_time_s / part
    return Plan(wanted.bundles, frames=frames, min_time_s=min_time_s, rounds=wanted.rounds)


def _bundles(wanted: Wanted) -> bytes:
    return to_text(_measured(_plan(wanted, 1)))


def _repeat(wanted: Wanted) -> bytes:
    return to_text(_measured(_plan(wanted, 4)))


def _agreement(wanted: Wanted) -> bytes:
    first, second = (read_result(wanted.out / f"{part}.json") for part in ("bundles", "repeat"))
    return to_text(judge_agreement(first, second))


def _runtimes(wanted: Wanted) -> bytes:
    threads = tuple(number for number in (1, 2, 4) if number <= len(os.sched_getaffinity(0)))
    return to_text(
        _measured(Plan(_network(wanted), threads=threads, runtimes=("", TFLITE_RUNTIME.name), **_FEW))  # type: ignore[arg-type]
    )


def _keras(wanted: Wanted) -> bytes:
    if wanted.keras is None:
        raise NotWanted("name the training with --keras RUN")
    float32 = [path for path in _network(wanted) if _manifest(path).model.scheme == "float32"][:1]
    if not float32:
        raise NotWanted("--bundles has no float32 bundle to compare with")
    return to_text(_measured(Plan(tuple(float32), keras_runs=(wanted.keras,), **_FEW)))  # type: ignore[arg-type]


def _live_loop(wanted: Wanted) -> bytes:  # noqa: ARG001 - all parts are called alike
    age = ("live_loop", "age", "--seconds", "15")
    return _printed([("live_loop", "overhead"), age, ("live_loop", "memory", "--frames", "20000")], {})


def _training_input(wanted: Wanted) -> bytes:
    if wanted.data is None:
        raise NotWanted("name pictures in one folder per class with --data DIR")
    ways = ["trailcam", "keras dataset"]
    if all(_can_import(package) for package in ("scipy", "PIL")):
        ways.insert(1, "article")
    words = ("training_input", str(wanted.data), "--px", "128", "299", "--seconds", "3", "--json", "--ways", *ways)
    return _printed([words], {str(wanted.data): "DATA"})


def _data_tools(wanted: Wanted) -> bytes:
    if wanted.data is None:
        raise NotWanted("name pictures in one folder per class with --data DIR")
    return _printed([("data_tools", str(wanted.data), "--rounds", "2", "--json")], {str(wanted.data): "DATA"})


def _versus(wanted: Wanted) -> bytes:
    small = [path for path in _network(wanted) if _manifest(path).model.scheme == "int8"][:1]
    words = ["versus", "--bundle", str((small or [BUILTIN_BUNDLE])[0]), "--rounds", "6", "--count", "60"]
    if wanted.keras is not None:
        words += ["--keras", str(wanted.keras)]
    out = wanted.out / ".versus.partial"
    try:
        _run([*words, "--out", str(out)])
        return out.read_bytes()
    finally:
        out.unlink(missing_ok=True)


def _soak(wanted: Wanted) -> bytes:
    if not wanted.soak_s:
        raise NotWanted("say how long with --soak 1800")
    return to_text(_measured(Plan((BUILTIN_BUNDLE,), frames=8, min_time_s=0, rounds=1, soak_s=wanted.soak_s)))


PARTS: dict[str, Callable[[Wanted], bytes]] = {
    "bundles": _bundles,
    "repeat": _repeat,
    "agreement": _agreement,
    "runtimes": _runtimes,
    "keras": _keras,
    "live_loop": _live_loop,
    "training_input": _training_input,
    "data_tools": _data_tools,
    "versus": _versus,
    "soak": _soak,
}


def _measured(plan: Plan) -> Result:
    """Measure; rows are known by what they are and not by where they lie."""
    plan = replace(plan, floor_share=_FLOOR_SHARE)
    result = measure(plan, local_run(plan.runtimes, environments_folder()), _say_rounds())
    if not result.complete:
        raise KeyboardInterrupt
    names = {str(path): path.name for path in (*plan.bundles, *plan.keras_runs)}

    def known(row: Any) -> Any:
        bundle = names[row.bundle]
        if getattr(row, "sha256", ""):
            bundle = f"{row.name} {row.scheme} {row.sha256[:12]}"
        reason = row.reason.replace(row.bundle, names[row.bundle])
        return replace(row, bundle=bundle, reason=reason)

    return replace(result, rows=tuple(map(known, result.rows)), soaks=tuple(map(known, result.soaks)))


def _printed(scripts: Sequence[Sequence[str]], hidden: dict[str, str]) -> bytes:
    """Run scripts of this package that print JSON lines."""
    started, before = datetime.now().astimezone().isoformat(timespec="seconds"), read_condition()
    lines = [json.loads(line) for words in scripts for line in _run(words).splitlines()]
    shown = [" ".join(hidden.get(word, word) for word in words) for words in scripts]
    command = "; ".join(f"python -m trailcam_benchmarks.{words}" for words in shown)
    return to_text(Printed(command, started, describe_machine(), before, read_condition(), tuple(lines)))


def _run(words: Sequence[str]) -> str:
    command = [sys.executable, "-m", f"trailcam_benchmarks.{words[0]}", *words[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise DataError(f"{words[0]} ended with exit code {done.returncode}; what it said stands above.")
    return done.stdout


def _network(wanted: Wanted) -> tuple[Path, ...]:
    """Return the bundles of one network: the built-in one's, if float32 of it is there, else the first with float32."""
    manifests = {path: _manifest(path) for path in wanted.bundles}
    builtin = _manifest(BUILTIN_BUNDLE).name
    names = [manifest.name for manifest in manifests.values() if manifest.model.scheme == "float32"]
    name = builtin if builtin in names or not names else names[0]
    chosen = [path for path, manifest in manifests.items() if manifest.name == name]
    return tuple(path for path in chosen if manifests[path].model.scheme in ("float32", "int8"))


def _manifest(path: Path) -> Manifest:
    return open_bundle(path).manifest


def _can_import(package: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True).returncode == 0


def _find(folder: Path | None) -> tuple[Path, ...]:
    """Return the built-in bundle and all below ``folder``, each file once."""
    found = {_manifest(BUILTIN_BUNDLE).model.sha256: BUILTIN_BUNDLE}
    for path in [] if folder is None else sorted(folder.rglob("manifest.json")):
        try:
            found.setdefault(_manifest(path.parent).model.sha256, path.parent)
        except TrailcamError as error:
            print(f"results: left out: {error}", file=sys.stderr)
    return tuple(found.values())


def _say_rounds() -> Progress:
    spoken = time.monotonic()

    def say(stage: str, done: int, total: int, note: str = "") -> None:
        nonlocal spoken
        if time.monotonic() - spoken > 10 or done == total:
            spoken = time.monotonic()
            print(f"  {stage} {done} of {total} {note}", file=sys.stderr, flush=True)

    return say


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing; 1 if a part failed, 130 after an interruption."""
    parser = argparse.ArgumentParser(description="The project's own figures, a file for each part.")
    parser.add_argument("--bundles", type=Path, metavar="DIR", help="every bundle below it, beside the built-in one")
    parser.add_argument("--keras", type=Path, metavar="RUN", help="a training, for the Keras baseline")
    parser.add_argument("--data", type=Path, metavar="DIR", help="pictures in one folder per class")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    parser.add_argument("--frames", type=int, default=1024, metavar="N", help="of each bundle (1024)")
    parser.add_argument("--min-time", type=float, default=10.0, metavar="S", help="of each bundle (10)")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="taken in turns (8)")
    parser.add_argument("--soak", type=float, default=0.0, metavar="S", help="seconds of the long run; default: none")
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    bundles = tuple(path.resolve() for path in _find(given.bundles))
    run = None if given.keras is None else given.keras.resolve()
    wanted = Wanted(bundles, run, given.data, given.out, given.frames, given.min_time, given.rounds, given.soak)
    failed = False
    for part in given.only:
        path = given.out / f"{part}.json"
        if path.is_file() and not given.again:
            print(f"results: {part}: is there", file=sys.stderr)
            continue
        print(f"results: {part} ...", file=sys.stderr, flush=True)
        start_s = time.monotonic()
        try:
            write_file(path, PARTS[part](wanted))
        except NotWanted as reason:
            print(f"results: {part}: left out, {reason}", file=sys.stderr)
            continue
        except TrailcamError as error:
            print(f"results: {part}: {error}", file=sys.stderr)
            failed = True
            continue
        except KeyboardInterrupt:
            print(f"\nresults: interrupted; run it again to go on with {part}.", file=sys.stderr)
            return 130
        print(f"results: {part}: {time.monotonic() - start_s:.0f} s", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
