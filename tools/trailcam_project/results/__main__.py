"""The project's own figures: everything measured on this machine, a file for each part.

    python -m trailcam_project.results --bundles exports/ --keras runs/mine --data animals10/
    python -m trailcam_project.results.docs_tables            then: the tables of docs/benchmarks.md from these files

    bundles         every bundle below --bundles and the built-in one, one thread, 1,024 frames each
    repeat          the same again, without pictures
    agreement       whether the two agree
    runtimes        one network: float32 and int8 on LiteRT and tflite-runtime, and its ONNX files on ONNX Runtime, with
                    1, 2, 4 threads
    keras           its Keras model beside its float32 bundle
    live_loop       overhead, age of answers, memory
    training_input  pictures into training, against Keras' own loaders
    data_tools      data check, against merely decoding
    versus          whole programs that one might use instead
    soak            with --soak 1800: the built-in bundle at full load

Accuracy and agreement, in the first and the fourth, are those on at most 500 pictures of --held-out (else of --data),
in folders that are called like the labels: pictures that no bundle was trained on.

A part that is there is not measured again, but where it is of other bundles or settings, or with --again. Of a part
that is interrupted PART.partial.json has what there was, marked; it is measured from its start next time. Nothing else
should run meanwhile: each part waits a while for that, and says so if it has to go on. Paths are not written, bundles
are known by name, version and digest.
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
from trailcam_benchmarks.session.accuracy_pictures import find_pictures, spread
from trailcam_benchmarks.session.session import Plan
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.cores import usable_cores
from trailcam_core.errors import DataError, TrailcamError
from trailcam_core.files.atomic import write_file
from trailcam_core.spec import Manifest
from trailcam_project.results.parts import Agreed, Measured, NotWanted, Part, Wanted
from trailcam_project.results.script_parts import Compared, Said

__all__ = ["PARTS", "main"]

_FEW_FRAMES, _FEW_S, _FEW_ROUNDS = 128, 3.0, 6  # where another runtime is ten times as slow
_PICTURES = 500  # the 95 % interval of 96 % is then 94 to 97 %
_CALM_S = 180.0  # the load of two busy cores takes 70 s to fall below what counts as busy
_NO_DATA = "name pictures in one folder per class with --data DIR"


def _repeat(wanted: Wanted) -> Plan:
    return Plan(wanted.bundles, frames=wanted.frames, min_time_s=wanted.min_time_s, rounds=wanted.rounds)


def _bundles(wanted: Wanted) -> Plan:
    return replace(_repeat(wanted), pictures=wanted.pictures)


def _runtimes(wanted: Wanted) -> Plan:
    threads = tuple(number for number in (1, 2, 4) if number <= usable_cores())
    plan = replace(_few(_network(wanted)), threads=threads, runtimes=("", TFLITE_RUNTIME.name))
    return replace(plan, pictures=wanted.pictures)


def _keras(wanted: Wanted) -> Plan:
    if wanted.keras is None:
        raise NotWanted("name the training with --keras RUN")
    float32 = _of_network(wanted, "float32")
    if not float32:
        raise NotWanted("--bundles has no float32 bundle to compare with")
    return replace(_few(float32[:1]), keras_runs=(wanted.keras,))


def _soak(wanted: Wanted) -> Plan:
    if not wanted.soak_s:
        raise NotWanted("say how long with --soak 1800")
    return Plan((BUILTIN_BUNDLE,), frames=8, min_time_s=0, rounds=1, soak_s=wanted.soak_s)


def _live_loop(_: Wanted) -> tuple[list[list[str]], dict[str, str]]:
    age = ["live_loop", "age", "--seconds", "15"]
    return [["live_loop", "overhead"], age, ["live_loop", "memory", "--frames", "20000"]], {}


def _training_input(wanted: Wanted) -> tuple[list[list[str]], dict[str, str]]:
    if wanted.data is None:
        raise NotWanted(_NO_DATA)
    ways = ["trailcam", "keras dataset"]
    if all(_can_import(package) for package in ("scipy", "PIL")):
        ways.insert(1, "article")
    words = ["training_input", str(wanted.data), "--px", "128", "299", "--seconds", "3", "--json", "--ways", *ways]
    return [words], {str(wanted.data): "DATA"}


def _data_tools(wanted: Wanted) -> tuple[list[list[str]], dict[str, str]]:
    if wanted.data is None:
        raise NotWanted(_NO_DATA)
    return [["data_tools", str(wanted.data), "--rounds", "2", "--json"]], {str(wanted.data): "DATA"}


def _small(wanted: Wanted) -> Path:
    return (*_of_network(wanted, "int8"), BUILTIN_BUNDLE)[0]


PARTS: dict[str, Part] = {
    "bundles": Measured(_bundles),
    "repeat": Measured(_repeat),
    "agreement": Agreed("bundles", "repeat"),
    "runtimes": Measured(_runtimes),
    "keras": Measured(_keras),
    "live_loop": Said(_live_loop),
    "training_input": Said(_training_input),
    "data_tools": Said(_data_tools),
    "versus": Compared(_small, count=60, rounds=6),
    "soak": Measured(_soak),
}


def _few(bundles: tuple[Path, ...]) -> Plan:
    return Plan(bundles, frames=_FEW_FRAMES, min_time_s=_FEW_S, rounds=_FEW_ROUNDS)


def _network(wanted: Wanted) -> tuple[Path, ...]:
    """Return the bundles of one network: the built-in one's, if float32 of it is there, else the first with float32."""
    manifests = {path: _manifest(path) for path in wanted.bundles}
    builtin = _manifest(BUILTIN_BUNDLE).name
    names = [manifest.name for manifest in manifests.values() if manifest.model.scheme == "float32"]
    name = builtin if builtin in names or not names else names[0]
    chosen = [path for path, manifest in manifests.items() if manifest.name == name]
    return tuple(path for path in chosen if manifests[path].model.scheme in ("float32", "int8"))


def _of_network(wanted: Wanted, scheme: str) -> tuple[Path, ...]:
    """Return the TFLite bundles of that network and of one scheme."""
    found = {path: _manifest(path).model for path in _network(wanted)}
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
    """Return some pictures of ``folder``; none, and why, if no bundle has a label for one of its folders."""
    if folder is None:
        return ()
    found = find_pictures(folder)
    labels = {label for bundle in bundles for label in _manifest(bundle).output.labels}
    foreign = sorted({picture.label for picture in found} - labels)
    if foreign:
        print(
            f"results: no accuracy is measured: {folder} has a folder {foreign[0]!r}, which is no label of a bundle. "
            "Name pictures that no bundle was trained on, in folders called like the labels, with --held-out DIR.",
            file=sys.stderr,
        )
        return ()
    return spread(found, _PICTURES)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing; 1 if a part failed, 130 after an interruption."""
    parser = argparse.ArgumentParser(description="The project's own figures, a file for each part.")
    parser.add_argument("--bundles", type=Path, metavar="DIR", help="every bundle below it, beside the built-in one")
    parser.add_argument("--keras", type=Path, metavar="RUN", help="a training, for the Keras baseline")
    parser.add_argument("--data", type=Path, metavar="DIR", help="pictures in one folder per class")
    parser.add_argument("--held-out", type=Path, metavar="DIR", help="pictures for accuracy; default: those of --data")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--again", action="store_true", help="also what is there and not stale")
    parser.add_argument("--frames", type=int, default=1024, metavar="N", help="of each bundle (1024)")
    parser.add_argument("--min-time", type=float, default=10.0, metavar="S", help="of each bundle (10)")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="taken in turns (8)")
    parser.add_argument("--soak", type=float, default=0.0, metavar="S", help="seconds of the long run; default: none")
    parser.add_argument(
        "--calm",
        type=float,
        default=_CALM_S,
        metavar="S",
        help=f"wait so long for the machine to be idle ({_CALM_S:g})",
    )
    given = parser.parse_args(argv)
    try:
        with interruptions():
            return _measure_parts(given.only, given.again, _wanted(given))
    except TrailcamError as error:
        print(f"results: {error}", file=sys.stderr)
        return 1


def _wanted(given: argparse.Namespace) -> Wanted:
    given.out.mkdir(parents=True, exist_ok=True)
    bundles = tuple(path.resolve() for path in _find(given.bundles))
    return Wanted(
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
        calm_s=given.calm,
    )


def _measure_parts(names: Sequence[str], again: bool, wanted: Wanted) -> int:
    failed = False
    for name in names:
        part, path, partial = PARTS[name], wanted.out / f"{name}.json", wanted.out / f"{name}.partial.json"
        try:
            if path.is_file() and not again:
                reason = _stale(part, wanted, path)
                print(f"results: {name}: {f'is stale, {reason}' if reason else 'is there'}", file=sys.stderr)
                if not reason:
                    continue
            print(f"results: {name} ...", file=sys.stderr, flush=True)
            start_s = time.monotonic()
            write_file(path, part.make(wanted, partial))
            partial.unlink(missing_ok=True)
        except NotWanted as reason:
            print(f"results: {name}: left out, {reason}", file=sys.stderr)
            continue
        except (TrailcamError, OSError) as error:
            print(f"results: {name}: {error}", file=sys.stderr)
            failed = True
            continue
        except KeyboardInterrupt:
            kept = f" What there was is in {partial.name}." if partial.is_file() else ""
            print(f"\nresults: interrupted.{kept} Run it again to measure {name} from its start.", file=sys.stderr)
            return 130
        print(f"results: {name}: {time.monotonic() - start_s:.0f} s", file=sys.stderr, flush=True)
    return 1 if failed else 0


def _stale(part: Part, wanted: Wanted, path: Path) -> str:
    try:
        return part.stale(wanted, path)
    except DataError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
