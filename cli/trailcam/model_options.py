"""Options that choose a model, shared by the commands that run one."""

import argparse
import os
from pathlib import Path
from typing import NoReturn

from trailcam.help.numbers import whole_number
from trailcam.help.parser import UsageError
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE, Classifier
from trailcam_core.inference.first_opening import prove_opening
from trailcam_core.inference.native_log import quiet_native_log
from trailcam_core.spec import FITS


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --bundle, or --model with the options that a bare model needs, and --threads, as a group of options."""
    group = parser.add_argument_group("model")
    group.add_argument("--bundle", type=Path, metavar="DIR", help="bundle to use (default: the built-in one)")
    group.add_argument("--model", type=Path, metavar="FILE", help="bare .tflite model instead of a bundle")
    group.add_argument("--labels", type=Path, metavar="FILE", help="with --model: one label per line")
    group.add_argument(
        "--background", type=int, metavar="N", help='with --model: class N means "nothing there" (often 0)'
    )
    group.add_argument(
        "--value-range",
        type=float,
        nargs=2,
        metavar=("BLACK", "WHITE"),
        help="with a float32 --model: input values of black and white pixels, for example -1 1",
    )
    group.add_argument(
        "--fit", choices=FITS, help="with --model: how pictures of another aspect ratio are fitted (crop)"
    )
    group.add_argument("--threads", type=_positive, metavar="N", help="threads of one inference (default: up to 4)")


def open_classifier(arguments: argparse.Namespace, proven_below: Path | None = None) -> Classifier:
    """Open what the arguments name; a contradictory combination is a usage error (exit code 2).

    ``proven_below`` is the folder of the updater: its bundles have passed a self-test in a child process.
    """
    if arguments.model is None:
        for name in ("labels", "background", "value_range", "fit"):
            if getattr(arguments, name) is not None:
                usage_error(f"--{name.replace('_', '-')} belongs to --model; the manifest of a bundle has it")
        return open_first(arguments.bundle, arguments.threads, proven_below)
    if arguments.bundle is not None:
        usage_error("--bundle and --model exclude each other")
    if arguments.labels is None:
        usage_error("--model needs --labels FILE, one label per line in the order of the model's outputs")
    prove_opening(arguments.model)
    with quiet_native_log():
        return Classifier.open_model(
            arguments.model,
            arguments.labels,
            arguments.background,
            tuple(arguments.value_range) if arguments.value_range else None,
            arguments.fit or "crop",
            arguments.threads,
        )


def open_first(bundle: Path | None, threads: int | None, proven_below: Path | None = None) -> Classifier:
    """Open a bundle; its model is opened in a child process first, because a damaged one aborts its process.

    Args:
        bundle: the folder; None is the built-in one.
        threads: of one inference.
        proven_below: bundles in this folder are opened directly.
    """
    proven = proven_below is not None and bundle is not None and bundle.is_relative_to(proven_below)
    if not proven and bundle is not None and bundle != BUILTIN_BUNDLE:
        prove_opening(open_bundle(bundle).model_path)
    with quiet_native_log():
        return Classifier.open(bundle, threads)


def _positive(text: str) -> int:
    value = whole_number(text)
    if not 1 <= value <= (os.cpu_count() or 1) * 4:
        raise argparse.ArgumentTypeError(f"{value}: expected 1 to {(os.cpu_count() or 1) * 4}")
    return value


def usage_error(message: str) -> NoReturn:
    """End with the usage of the command on stderr and exit code 2."""
    raise UsageError(message)
