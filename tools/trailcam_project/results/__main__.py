"""Measure the project's figures on this machine, a file for each part.

    python -m trailcam_project.results --bundles exports/ --keras runs/mine --data animals10/
    python -m trailcam_project.results.docs_tables            writes these files into the tables of docs/benchmarks.md

    bundles         every bundle below --bundles and the built-in one, one thread, 1,024 frames each
    repeat          the same again, without pictures
    agreement       comparison of the two
    runtimes        one network: float32 and int8 on LiteRT and tflite-runtime, and its ONNX files on ONNX Runtime, with
                    1, 2, 4 threads
    keras           its Keras model beside its float32 bundle
    live_loop       overhead, age of answers, memory
    training_input  pictures into training, compared with Keras' loaders
    data_tools      data check, compared with decoding alone
    versus          alternatives to Trailcam as whole programs
    soak            with --soak 1800: the built-in bundle at full load

Accuracy and agreement, in the first and the fourth, are those on at most 500 pictures of --held-out (else of --data),
in folders named like the labels: pictures that no bundle was trained on.

An existing part is measured again only if its bundles or settings differ, or with --again. After an interruption
PART.partial.json has the figures so far, marked; the next run measures the part from its start. Nothing else should
run meanwhile: each part waits until the machine is idle, and prints a warning if it stays busy. Files have no paths:
bundles are named by name, version and digest.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trailcam_benchmarks.host.signals import interruptions
from trailcam_benchmarks.host.virtual_environments import TFLITE_RUNTIME
from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.session.accuracy_pictures import find_pictures, sample_evenly
from trailcam_benchmarks.session.session import BenchmarkPlan
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DataError, TrailcamError
from trailcam_core.files.atomic import write_file
from trailcam_core.jobs.cores import usable_cores
from trailcam_core.spec import Manifest
from trailcam_project.results.result_parts import BenchmarkPart, Part, PartOptions, PartSkippedError, RepeatabilityPart
from trailcam_project.results.script_parts import ComparisonPart, ScriptPart

_FEW_FRAMES, _FEW_S, _FEW_ROUNDS = 128, 3.0, 6  # where another runtime is ten times as slow
_PICTURES = 500  # the 95 % interval of 96 % is then 94 to 97 %
_IDLE_WAIT_S = 180.0  # the load of two busy cores takes 70 s to fall below what counts as busy
_NO_DATA = "name pictures in one folder per class with --data DIR"


def _repeat(options: PartOptions) -> BenchmarkPlan:
    return BenchmarkPlan(options.bundles, frames=options.frames, min_time_s=options.min_time_s, rounds=options.rounds)


def _bundles(options: PartOptions) -> BenchmarkPlan:
    return replace(_repeat(options), pictures=options.pictures)


def _runtimes(options: PartOptions) -> BenchmarkPlan:
    threads = tuple(number for number in (1, 2, 4) if number <= usable_cores())
    plan = replace(_few(_network(options)), threads=threads, runtimes=("", TFLITE_RUNTIME.name))
    return replace(plan, pictures=options.pictures)


def _keras(options: PartOptions) -> BenchmarkPlan:
    if options.keras is None:
        raise PartSkippedError("name the training with --keras RUN")
    float32 = _of_network(options, "float32")
    if not float32:
        raise PartSkippedError("--bundles has no float32 bundle to compare with")
    return replace(_few(float32[:1]), keras_runs=(options.keras,))


def _soak(options: PartOptions) -> BenchmarkPlan:
    if not options.soak_s:
        raise PartSkippedError("name its duration with --soak 1800")
    return BenchmarkPlan((BUILTIN_BUNDLE,), frames=8, min_time_s=0, rounds=1, soak_s=options.soak_s)


def _live_loop(_: PartOptions) -> tuple[list[list[str]], dict[str, str]]:
    loop = "trailcam_project.experiments.live_loop"
    return [[loop, "overhead"], [loop, "age", "--seconds", "15"], [loop, "memory", "--frames", "20000"]], {}


def _training_input(options: PartOptions) -> tuple[list[list[str]], dict[str, str]]:
    if options.data is None:
        raise PartSkippedError(_NO_DATA)
    ways = ["trailcam", "keras dataset"]
    if all(_can_import(package) for package in ("scipy", "PIL")):
        ways.insert(1, "article")
    words = [
        "trailcam_project.experiments.training_input",
        str(options.data),
        "--px",
        "128",
        "299",
        "--seconds",
        "3",
        "--json",
        "--ways",
        *ways,
    ]
    return [words], {str(options.data): "DATA"}


def _data_tools(options: PartOptions) -> tuple[list[list[str]], dict[str, str]]:
    if options.data is None:
        raise PartSkippedError(_NO_DATA)
    return [["trailcam_project.experiments.data_tools", str(options.data), "--rounds", "2", "--json"]], {
        str(options.data): "DATA"
    }


def _small(options: PartOptions) -> Path:
    return (*_of_network(options, "int8"), BUILTIN_BUNDLE)[0]


PARTS: dict[str, Part] = {
    "bundles": BenchmarkPart(_bundles),
    "repeat": BenchmarkPart(_repeat),
    "agreement": RepeatabilityPart("bundles", "repeat"),
    "runtimes": BenchmarkPart(_runtimes),
    "keras": BenchmarkPart(_keras),
    "live_loop": ScriptPart(_live_loop),
    "training_input": ScriptPart(_training_input),
    "data_tools": ScriptPart(_data_tools),
    "versus": ComparisonPart(_small, count=60, rounds=6),
    "soak": BenchmarkPart(_soak),
}


def _few(bundles: tuple[Path, ...]) -> BenchmarkPlan:
    return BenchmarkPlan(bundles, frames=_FEW_FRAMES, min_time_s=_FEW_S, rounds=_FEW_ROUNDS)


def _network(options: PartOptions) -> tuple[Path, ...]:
    """Return the bundles of one network: that of the built-in bundle if it has float32, else the first with float32."""
    manifests = {path: _manifest(path) for path in options.bundles}
    builtin = _manifest(BUILTIN_BUNDLE).name
    names = [manifest.name for manifest in manifests.values() if manifest.model.scheme == "float32"]
    name = builtin if builtin in names or not names else names[0]
    chosen = [path for path, manifest in manifests.items() if manifest.name == name]
    return tuple(path for path in chosen if manifests[path].model.scheme in ("float32", "int8"))


def _of_network(options: PartOptions, scheme: str) -> tuple[Path, ...]:
    """Return the TFLite bundles of that network and of one scheme."""
    found = {path: _manifest(path).model for path in _network(options)}
    return tuple(path for path, model in found.items() if (model.format, model.scheme) == ("tflite", scheme))


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


def _held_out(folder: Path | None, bundles: Sequence[Path]) -> tuple[Picture, ...]:
    """Return some pictures of ``folder``; none, with a warning, if no bundle has a label for one of its folders."""
    if folder is None:
        return ()
    found = find_pictures(folder)
    labels = {label for bundle in bundles for label in _manifest(bundle).output.labels}
    foreign = sorted({picture.label for picture in found} - labels)
    if foreign:
        print(
            f"results: no accuracy is measured: {folder} has a folder {foreign[0]!r}, which is no label of a bundle. "
            "Name pictures that no bundle was trained on, in folders named like the labels, with --held-out DIR.",
            file=sys.stderr,
        )
        return ()
    return sample_evenly(found, _PICTURES)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the missing parts; return 1 if a part failed, 130 after an interruption."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.results", description="Measure the project's figures, a file for each part."
    )
    parser.add_argument(
        "--bundles", type=Path, metavar="DIR", help="bundles below this folder, besides the built-in one"
    )
    parser.add_argument("--keras", type=Path, metavar="RUN", help="a training, for the Keras baseline")
    parser.add_argument("--data", type=Path, metavar="DIR", help="pictures in one folder per class")
    parser.add_argument("--held-out", type=Path, metavar="DIR", help="pictures for accuracy; default: those of --data")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("benchmarks/results"),
        metavar="DIR",
        help="folder of the files (benchmarks/results)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(PARTS),
        default=list(PARTS),
        metavar="PART",
        help=f"parts to measure, of {', '.join(PARTS)} (all)",
    )
    parser.add_argument("--again", action="store_true", help="measure again what is up to date")
    parser.add_argument("--frames", type=int, default=1024, metavar="N", help="frames of each bundle (1024)")
    parser.add_argument("--min-time", type=float, default=10.0, metavar="S", help="seconds of each bundle (10)")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="rounds, in turns (8)")
    parser.add_argument("--soak", type=float, default=0.0, metavar="S", help="seconds of the long run; default: none")
    parser.add_argument(
        "--calm",
        type=float,
        default=_IDLE_WAIT_S,
        metavar="S",
        help=f"wait at most S seconds until the machine is idle ({_IDLE_WAIT_S:g})",
    )
    given = parser.parse_args(argv)
    try:
        with interruptions():
            return _measure_parts(given.only, given.again, _part_options(given))
    except TrailcamError as error:
        print(f"results: {error}", file=sys.stderr)
        return 1


def _part_options(given: argparse.Namespace) -> PartOptions:
    given.out.mkdir(parents=True, exist_ok=True)
    bundles = tuple(path.resolve() for path in _find(given.bundles))
    return PartOptions(
        bundles=bundles,
        named=given.bundles is not None,
        keras=None if given.keras is None else given.keras.resolve(),
        data=given.data,
        pictures=_held_out(given.held_out or given.data, bundles),
        out=given.out,
        frames=given.frames,
        min_time_s=given.min_time,
        rounds=given.rounds,
        soak_s=given.soak,
        idle_wait_s=given.calm,
    )


def _measure_parts(names: Sequence[str], again: bool, options: PartOptions) -> int:
    failed = False
    for name in names:
        part, path, partial = PARTS[name], options.out / f"{name}.json", options.out / f"{name}.partial.json"
        try:
            if path.is_file() and not again:
                reason = _stale(part, options, path)
                print(f"results: {name}: {f'out of date, {reason}' if reason else 'up to date'}", file=sys.stderr)
                if not reason:
                    continue
            print(f"results: {name} ...", file=sys.stderr, flush=True)
            start_s = time.monotonic()
            write_file(path, part.make(options, partial))
            partial.unlink(missing_ok=True)
        except PartSkippedError as reason:
            print(f"results: {name}: left out, {reason}", file=sys.stderr)
            continue
        except (TrailcamError, OSError) as error:
            print(f"results: {name}: {error}", file=sys.stderr)
            failed = True
            continue
        except KeyboardInterrupt:
            kept = f" The figures so far are in {partial.name}." if partial.is_file() else ""
            print(f"\nresults: interrupted.{kept} Run it again to measure {name} from its start.", file=sys.stderr)
            return 130
        print(f"results: {name}: {time.monotonic() - start_s:.0f} s", file=sys.stderr, flush=True)
    return 1 if failed else 0


def _stale(part: Part, options: PartOptions, path: Path) -> str:
    try:
        return part.stale(options, path)
    except DataError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
