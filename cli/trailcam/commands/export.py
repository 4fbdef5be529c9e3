"""``trailcam export``: convert a run, or a foreign Keras or ONNX model, to bundles and measure the drift."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.help.numbers import whole_number
from trailcam.process.tensorflow_settings import prepare_tensorflow
from trailcam.progress import job_progress
from trailcam.terminal import show_report
from trailcam_core.errors import TrailcamError
from trailcam_core.inference.native_log import quiet_native_log
from trailcam_core.jobs.progress import Progress
from trailcam_core.spec import FITS
from trailcam_export.gate.presets import DEFAULT_PRESET, PRESETS, find_preset

if TYPE_CHECKING:
    from trailcam_export.run.export import ExportReport

_CHECK_FAILED = 3
_DEFAULT, _ONNX_DEFAULT = "float32,int8", "onnx-float32,onnx-int8"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam export``."""
    parser.add_argument(
        "run", type=Path, nargs="?", metavar="RUN", help='a finished run, as "trailcam train" leaves it'
    )
    bundles = parser.add_argument_group("bundles")
    bundles.add_argument(
        "--variants",
        metavar="LIST",
        help="what to make, with commas: float32, float16, dynamic_int8, int8, int16x8, onnx-float32, onnx-float16, "
        "onnx-int8, or all (default float32,int8; of an ONNX model onnx-float32,onnx-int8)",
    )
    bundles.add_argument(
        "--quantizer",
        choices=("litert", "tensorflow"),
        help="quantiser of integer TFLite files (default: the better one for the scheme)",
    )
    bundles.add_argument("--out", type=Path, default=Path("exports"), metavar="DIR", help="default: exports")
    bundles.add_argument("--name", metavar="NAME", help="name of the bundles (default: the run's name)")
    bundles.add_argument("--version", default="1.0.0", metavar="X.Y.Z", help="version of the bundles (default 1.0.0)")
    bundles.add_argument(
        "--golden",
        type=Path,
        metavar="DIR",
        help="up to 8 pictures that travel in the bundles as golden vectors (default: some of the test split, "
        "but none that an import brought)",
    )
    bundles.add_argument(
        "--earlier",
        type=Path,
        metavar="BUNDLE",
        help="of a run of train --from: int8 bundle of the earlier run, whose frozen part is kept so that an update is "
        "small (default: the one in --out, if it is there)",
    )
    bundles.add_argument(
        "--fix",
        action="store_true",
        help="if int8 does not pass, keep its most sensitive layers in float until it does",
    )
    bundles.add_argument(
        "--zoom",
        action="store_true",
        help='give the bundles the second output that "trailcam classify --zoom" and "trailcam watch --zoom" need',
    )
    calibration = parser.add_argument_group("pictures")
    calibration.add_argument(
        "--data", type=Path, metavar="DIR", help="its pictures (default: where training found them)"
    )
    calibration.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="field frames that calibrate beside training pictures, at most as many",
    )
    calibration.add_argument(
        "--calibration-count",
        type=_count,
        metavar="N",
        help="training pictures that calibrate, and the most field frames (default 100)",
    )
    gate = parser.add_argument_group("verdict")
    gate.add_argument("--others", type=Path, metavar="DIR", help='out-of-distribution pictures, to evaluate "unknown"')
    gate.add_argument(
        "--gate",
        default=DEFAULT_PRESET,
        metavar="NAME|FILE",
        help=f"criteria of the drift gate: {', '.join(PRESETS)}, or a TOML file of your own (default {DEFAULT_PRESET})",
    )
    gate.add_argument(
        "--gate-inconclusive",
        choices=("pass", "fail"),
        default="pass",
        help="whether an inconclusive verdict gives exit code 3 (default: pass)",
    )
    gate.add_argument("--json", action="store_true", help="the report as one JSON object")
    foreign = parser.add_argument_group("a model that was trained elsewhere, in place of RUN")
    foreign.add_argument("--model", type=Path, metavar="FILE", help=".keras, .h5 or .onnx file")
    foreign.add_argument("--labels", type=Path, metavar="FILE", help="one label per line in the order of its outputs")
    foreign.add_argument(
        "--input-range",
        type=float,
        nargs=2,
        metavar=("BLACK", "WHITE"),
        help="input values of black and white pixels, if the model does not state them: 0 255, 0 1 or -1 1",
    )
    for name, what in (("mean", "subtracted from"), ("std", "that divide")):
        foreign.add_argument(
            f"--{name}", type=float, nargs=3, metavar=("R", "G", "B"),
            help=f"of an ONNX model: the numbers {what} each channel in training, of values 0 to 1 or levels 0 to 255",
        )  # fmt: skip
    foreign.add_argument("--fit", choices=FITS, help="rule for other aspect ratios in training (default stretch)")


def run(arguments: argparse.Namespace) -> int:
    """Export, print the report, and return 3 if the drift of a variant is too large."""
    _check(arguments)
    try:
        report = _export(arguments)
    except (OSError, KeyboardInterrupt, TrailcamError):
        _print_cache_location(arguments)
        raise
    from trailcam_export.run.summary import describe_export, export_record

    if arguments.json:
        print(json.dumps(export_record(report), ensure_ascii=False, indent=2))
    else:
        show_report(describe_export(report), headings=(0,))
    return 0 if report.passed else _CHECK_FAILED


def _export(arguments: argparse.Namespace) -> "ExportReport":
    prepare_tensorflow()
    with _quiet_progress() as progress:
        from trailcam_export.calibration.calibration_set import CALIBRATION_COUNT
        from trailcam_export.convert.variants import parse_variants
        from trailcam_export.foreign.foreign_run import ForeignModel
        from trailcam_export.run.export import export_run
        from trailcam_export.run.plan import ExportRequest

        foreign = None
        default = _ONNX_DEFAULT if _is_onnx(arguments) else _DEFAULT
        if arguments.model is not None:
            value_range = tuple(arguments.input_range) if arguments.input_range else None
            statistics = (tuple(arguments.mean), tuple(arguments.std)) if arguments.mean else None
            foreign = ForeignModel(
                arguments.model, arguments.labels, arguments.fit or "stretch", value_range, statistics
            )
        return export_run(
            ExportRequest(
                run=arguments.run,
                data=arguments.data,
                out=arguments.out,
                name=arguments.name,
                version=arguments.version,
                golden=arguments.golden,
                ood=arguments.others,
                calibration_count=arguments.calibration_count or CALIBRATION_COUNT,
                variants=parse_variants((arguments.variants or default).split(",")),
                quantizer=arguments.quantizer,
                calibration=arguments.calibration,
                foreign=foreign,
                gate=find_preset(arguments.gate),
                inconclusive_fails=arguments.gate_inconclusive == "fail",
                fix=arguments.fix,
                zoom=arguments.zoom,
                earlier=arguments.earlier,
            ),
            progress,
        )


def _print_cache_location(arguments: argparse.Namespace) -> None:
    """Print the folder of the finished parts of an interrupted export to stderr."""
    from trailcam_export.run.resume_cache import cache_folder

    own = arguments.run.resolve().name if arguments.run is not None else arguments.model.stem
    folder = cache_folder(arguments.out, arguments.name or own)
    if folder.is_dir():
        print(
            f"trailcam: finished parts are kept in {folder}; the same command goes on from there. "
            "Delete that folder to start afresh.",
            file=sys.stderr,
        )


def _check(arguments: argparse.Namespace) -> None:
    """Refuse contradictory options as a usage error (exit code 2)."""
    if (arguments.run is None) == (arguments.model is None):
        _usage("name either RUN or --model FILE")
    if arguments.model is None:
        for name in ("labels", "input_range", "mean", "std", "fit"):
            if getattr(arguments, name) is not None:
                _usage(f"--{name.replace('_', '-')} belongs to --model; a run has its own")
    elif arguments.labels is None or arguments.data is None:
        _usage("--model needs --labels FILE and --data DIR, with a folder of pictures for each label")
    elif (arguments.mean is None) != (arguments.std is None):
        _usage("--mean and --std go together")
    elif arguments.mean is not None and not _is_onnx(arguments):
        _usage("--mean and --std are for an ONNX model; put them into a Keras model as a Normalization layer")
    elif arguments.mean is not None and arguments.input_range is not None:
        _usage("name either --mean and --std, or --input-range")


def _is_onnx(arguments: argparse.Namespace) -> bool:
    return arguments.model is not None and arguments.model.suffix.lower() == ".onnx"


def _usage(message: str) -> None:
    argparse.ArgumentParser(prog="trailcam export", add_help=False, usage="trailcam export RUN [OPTIONS]").error(
        message
    )


def _count(text: str) -> int:
    value = whole_number(text)
    if not 1 <= value <= 100_000:
        raise argparse.ArgumentTypeError(f"{value}: expected 1 to 100000")
    return value


@contextmanager
def _quiet_progress() -> Iterator[Progress]:
    """Show progress; print the log of native code only after an unexpected exception."""
    failure: BaseException | None = None
    terminal = os.fdopen(os.dup(2), "w")
    with terminal, quiet_native_log(), redirect_stderr(terminal), job_progress() as progress:
        try:
            yield progress
        except (TrailcamError, OSError, KeyboardInterrupt) as error:
            failure = error
    if failure is not None:
        raise failure
