"""``trailcam benchmark``: measure bundles side by side, on the files that ship."""

import argparse
import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

from trailcam.model_options import open_first
from trailcam.progress import job_progress
from trailcam.terminal import show_report
from trailcam_benchmarks.field.run import FIELD_REPORT, FIELD_RESULT, FieldPlan, measure_field, result_json, write_field
from trailcam_benchmarks.field.summary import text_table
from trailcam_benchmarks.field.write import write_to
from trailcam_benchmarks.host.signals import INTERRUPTED, interruptions
from trailcam_benchmarks.host.virtual_environments import environments_folder
from trailcam_benchmarks.report.html import render_report
from trailcam_benchmarks.report.tables import HEADER, describe_soak, describe_verdict, markdown_table, terminal_table
from trailcam_benchmarks.results.budget import describe_budget
from trailcam_benchmarks.results.regression_check import compare
from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.results.schema import Result, read_earlier, write_result
from trailcam_benchmarks.session.accuracy_pictures import find_pictures, sample_evenly
from trailcam_benchmarks.session.session import MLPERF_FRAMES, BenchmarkPlan, Keep, measure
from trailcam_benchmarks.worker import worker
from trailcam_benchmarks.worker.local_workers import RUNTIMES, local_run
from trailcam_benchmarks.worker.operator_profile import describe_profile, profile_bundle
from trailcam_benchmarks.worker.spawn import LostError
from trailcam_benchmarks.worker.ssh_workers import connect
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeployError, SourceError, TrailcamError
from trailcam_core.files.atomic import make_folder, write_file
from trailcam_core.jobs.progress import Progress
from trailcam_train.data.class_names import choose_label_map

_RESULT = "benchmark.json"
_CUT, _CHECK_FAILED, _INTERRUPTED = 1, 3, 130
_MAX_PROFILED = 128  # pictures: more do not improve the mean, and each operator call is an event in memory
_UNITS_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam benchmark``."""
    parser.add_argument("bundles", type=Path, nargs="*", metavar="BUNDLE", help="default: the built-in one")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)  # started by --on on that machine
    what = parser.add_argument_group("what is measured")
    what.add_argument("--threads", type=_threads, default=(1,), metavar="N,N", help="threads, each measured (1)")
    what.add_argument(
        "--runtimes",
        type=_runtimes,
        default=("",),
        metavar="NAME,NAME",
        help=f"each measured: {', '.join(RUNTIMES)} (installed)",
    )
    what.add_argument(
        "--keras", type=Path, action="append", default=[], metavar="RUN", help="also the Keras model of a training"
    )
    what.add_argument(
        "--frames", type=_count, default=MLPERF_FRAMES, metavar="N", help=f"frames at least ({MLPERF_FRAMES})"
    )
    what.add_argument("--min-time", type=_duration, default=10.0, metavar="T", help="duration at least (10s)")
    what.add_argument("--rounds", type=_count, default=8, metavar="N", help="rounds, in turns; --against needs 5 (8)")
    what.add_argument("--ops", action="store_true", help="instead: LiteRT's profile of the operators")
    what.add_argument(
        "--soak", type=_duration, default=0.0, metavar="T", help="then run each bundle for this time: 30m"
    )
    accuracy = parser.add_argument_group("accuracy")
    accuracy.add_argument("--data", type=Path, metavar="DIR", help="pictures in one folder per label, not trained on")
    accuracy.add_argument(
        "--limit", type=_count, default=1000, metavar="N", help="pictures of --data at most, evenly chosen (1000)"
    )
    accuracy.add_argument("--label-map", metavar="MAP", help="labels of the folders: animals10, none, or a TOML file")
    there = parser.add_argument_group("on another machine")
    there.add_argument("--on", metavar="HOST", help="measure on another machine over SSH: pi@camera")
    there.add_argument("--program", metavar="PATH", help="with --on: path of trailcam on that machine")
    there.add_argument("--ssh-config", type=Path, metavar="FILE", help="with --on: instead of ~/.ssh/config")
    field = parser.add_argument_group("field figures, instead of the others")
    field.add_argument(
        "--field",
        type=Path,
        nargs=2,
        metavar=("SCENES", "CUTOUTS"),
        help="instead: visits right and wrong in generated clips of animals in scenes that the model has not seen",
    )
    field.add_argument("--clips", type=_count, default=32, metavar="N", help="with --field: of each condition (32)")
    field.add_argument(
        "--empty", type=_duration, default=60.0, metavar="T", help="with --field: duration of each empty scene (1m)"
    )
    field.add_argument(
        "--condition", action="append", default=[], metavar="NAME", help='with --field: only this one, as "0.25, wind"'
    )
    field.add_argument(
        "--others", type=Path, metavar="CUTOUTS", help="with --field: cut-outs of animals that are none of the labels"
    )
    field.add_argument(
        "--write-to",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="with --field: state the figures in this bundle (manifest) or run (metrics.json, report.html); repeatable",
    )
    results = parser.add_argument_group("results")
    results.add_argument("--budget", type=_duration, metavar="T", help="name the best bundle whose p90 fits: 66ms")
    results.add_argument("--against", type=Path, metavar="FILE", help="benchmark.json of an earlier run; 3 if slower")
    results.add_argument("--out", type=Path, metavar="DIR", help="write benchmark.json, report.html and table.md there")
    results.add_argument("--json", action="store_true", help="print benchmark.json instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Measure; return 3 if no bundle fits the budget, one is slower, or a soak or all bundles failed."""
    if arguments.child:
        return worker.main()
    if arguments.field is not None:
        return _field(arguments)
    if arguments.ops:
        return _operators(arguments)
    with interruptions():
        return _compare(arguments)


def _compare(arguments: argparse.Namespace) -> int:
    if arguments.on is not None and (arguments.keras or arguments.runtimes != ("",)):
        raise DeployError("--on measures the interpreter that is installed there: leave out --keras and --runtimes.")
    old = None if arguments.against is None else read_earlier(arguments.against)
    plan = BenchmarkPlan(
        bundles=tuple(dict.fromkeys(arguments.bundles)) or (BUILTIN_BUNDLE,),
        threads=arguments.threads,
        runtimes=arguments.runtimes,
        keras_runs=tuple(arguments.keras),
        frames=arguments.frames,
        min_time_s=arguments.min_time,
        rounds=arguments.rounds,
        pictures=() if arguments.data is None else read_pictures(arguments.data, arguments.limit, arguments.label_map),
        soak_s=arguments.soak,
    )
    if arguments.out is not None:
        make_folder(arguments.out)  # fail now rather than after an hour
    with job_progress() as progress:
        result = _measure(plan, arguments, progress)
    verdicts = () if old is None else compare(old, result)
    budget, fits = _budget(result, arguments.budget)
    try:  # the output survives a full disk, and the files a closed terminal
        if arguments.json:
            print(json.dumps(asdict(result), sort_keys=True, ensure_ascii=False), flush=True)
        else:
            lines = [terminal_table(result), *map(describe_soak, result.soaks), *([budget] if budget else [])]
            lines = [*"\n".join(lines).split("\n"), *map(describe_verdict, verdicts)]
            show_report(lines, headings=[number for number, line in enumerate(lines) if line.startswith(HEADER[0])])
            sys.stdout.flush()
    finally:
        if arguments.out is not None:
            write_result(arguments.out / _RESULT, result)
            write_file(arguments.out / "table.md", f"{markdown_table(result)}\n".encode())
            write_file(arguments.out / "report.html", render_report(result, verdicts, budget).encode())
    if arguments.out is not None:
        print(f"trailcam: wrote {arguments.out / 'report.html'}, table.md and {_RESULT}.", file=sys.stderr)
    if not result.complete:
        print(f"trailcam: {result.cut}; the figures until then are kept and marked.", file=sys.stderr)
        return _INTERRUPTED if result.cut == INTERRUPTED else _CUT
    unmeasured = all(row.latency is None for row in result.rows if row.kind == "model")
    unsoaked = any(not soak.complete for soak in result.soaks)
    failed = unmeasured or unsoaked or not fits or any(verdict.failed for verdict in verdicts)
    return _CHECK_FAILED if failed else 0


def _field(arguments: argparse.Namespace) -> int:
    """Measure one bundle in the field, as far as generated clips are the field."""
    if len(arguments.bundles) > 1 or arguments.on is not None:
        raise SourceError("--field measures one bundle, on this machine. Run it again for the next one.")
    scenes, cut_outs = arguments.field
    conditions = tuple(arguments.condition)
    if arguments.write_to and conditions:
        raise SourceError("--write-to states the figures of all conditions: leave out --condition.")
    plan = FieldPlan(scenes, cut_outs, arguments.clips, arguments.empty, conditions=conditions, others=arguments.others)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)  # better now than after an hour
    with job_progress() as progress:
        classifier = open_first(next(iter(arguments.bundles), None), threads=1)
        try:
            result = measure_field(classifier, plan, progress, arguments.out)
        except KeyboardInterrupt:
            if arguments.out is not None:
                print(f"\ntrailcam: the same command goes on; {arguments.out} has the clips so far.", file=sys.stderr)
            raise
    print(json.dumps(result_json(result), sort_keys=True) if arguments.json else text_table(result.rows))
    if arguments.out is not None:
        write_field(result, arguments.out)
        print(f"trailcam: wrote {arguments.out / FIELD_REPORT} and {FIELD_RESULT}.", file=sys.stderr)
    for folder in arguments.write_to:
        write_to(folder, result.figures)
    return 0


def _operators(arguments: argparse.Namespace) -> int:
    """Profile each bundle; a failure is printed, and the others follow."""
    if arguments.on is not None:
        raise DeployError("--ops profiles here: run it on that machine, without --on.")
    profiles = []
    failed = False
    for path in dict.fromkeys(arguments.bundles or [BUILTIN_BUNDLE]):
        try:
            profiles.append(profile_bundle(open_bundle(path), min(arguments.frames, _MAX_PROFILED)))
        except TrailcamError as error:
            print(f"trailcam: {error}", file=sys.stderr)
            failed = True
            continue
        if not arguments.json:
            print(describe_profile(profiles[-1]))
    text = json.dumps([asdict(profile) for profile in profiles], sort_keys=True, ensure_ascii=False)
    if arguments.out is not None:
        make_folder(arguments.out)
        write_file(arguments.out / "operators.json", f"{text}\n".encode())
    if arguments.json:
        print(text)
    return _CHECK_FAILED if failed else 0


def _measure(plan: BenchmarkPlan, arguments: argparse.Namespace, progress: Progress) -> Result:
    keep = None if arguments.out is None else _keep_in(arguments.out, arguments.on)
    if arguments.on is None:
        return measure(plan, local_run(plan.runtimes, environments_folder()), progress, keep=keep)
    try:
        with connect(arguments.on, arguments.program, arguments.ssh_config) as remote:
            remote.send(plan.bundles, [picture.path for picture in plan.pictures])
            return replace(measure(plan, remote.run, progress, remote.probe, keep), host=arguments.on)
    except LostError as error:
        raise DeployError(f"{error}. Nothing was measured.") from error


def _keep_in(folder: Path, host: str | None) -> Keep:
    """Return a function that writes an unfinished result to ``folder``; a full disk ends no measurement."""
    warned = False

    def keep(result: Result) -> None:
        nonlocal warned
        try:
            write_result(folder / _RESULT, replace(result, host=host))
        except OSError as error:
            if not warned:
                print(
                    f"\ntrailcam: {folder}: {error.strerror}; unfinished results are not kept.",
                    file=sys.stderr,
                )
            warned = True

    return keep


def read_pictures(folder: Path, limit: int, label_map: str | None = None) -> tuple[Picture, ...]:
    """Return at most ``limit`` pictures, evenly spread over ``folder``; each is labelled by its folder.

    Args:
        folder: with one folder per label.
        limit: at least 1.
        label_map: as ``trailcam train`` takes it.

    Raises:
        DataError: pictures are beside the folders of the labels, or the map cannot be used.
        SourceError: there is no picture.
    """
    found = find_pictures(folder)
    labels = choose_label_map({picture.label for picture in found}, label_map)
    return tuple(Picture(picture.path, labels[picture.label]) for picture in sample_evenly(found, limit))


def _budget(result: Result, budget_s: float | None) -> tuple[str, bool]:
    return ("", True) if budget_s is None else describe_budget(result.rows, budget_s * 1e3)


def _duration(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration, expected for example 66ms, 10s, 30m or 1h")
    return float(found[1]) * _UNITS_S[found[2]]


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def _runtimes(text: str) -> tuple[str, ...]:
    unknown = sorted(set(text.split(",")) - set(RUNTIMES))
    if unknown:
        raise argparse.ArgumentTypeError(f"no runtime {unknown[0]!r}, there are: {', '.join(RUNTIMES)}")
    return tuple(dict.fromkeys(RUNTIMES[name] for name in text.split(",")))


def _threads(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_count(part) for part in text.split(",")))
