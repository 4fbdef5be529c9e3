"""``trailcam watch``: live recognition, in a terminal or as a service."""

import argparse
import logging
import os
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from trailcam import __version__
from trailcam.commands.watch.output import JsonOutput, TextOutput
from trailcam.logs import add_logging_arguments, configure_logging
from trailcam.model_options import add_model_arguments, open_classifier, usage_error
from trailcam.process.crashes import report_crashes
from trailcam.process.signals import hangups, stop_on_signals
from trailcam.source_option import add_source_file_argument, given_source
from trailcam_archive.times.local import local_zone, recorded_at
from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_edge.app.freed_memory import return_large_buffers
from trailcam_edge.app.runner import Runner, RunnerParts, open_notifier
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.config.camera_toml import Config, read_config
from trailcam_edge.events import PERSON, UNKNOWN
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.sources.demo_loop import DEMO_LOOP
from trailcam_edge.sources.orientation import ROTATIONS_DEG
from trailcam_edge.store.settings import StoreSettings
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.trial_monitor import TrialMonitor

__all__ = ["add_arguments", "run"]

_log = logging.getLogger("trailcam_edge")
_ZOOM_EVERY_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam watch``."""
    _add_camera_arguments(parser)
    add_model_arguments(parser)
    _add_recognition_arguments(parser)
    results = parser.add_argument_group("results")
    results.add_argument(
        "--store", type=Path, metavar="DIR", help="store visits and pictures here, see trailcam events"
    )
    results.add_argument(
        "--clips",
        action="store_true",
        help="store a short video of each visit as well, "
        f"from {ClipSettings().before_s:g} s before it, {ClipSettings().longest_s:g} s at most; needs PyAV",
    )
    results.add_argument(
        "--live",
        nargs="?",
        const=LiveSettings().address,
        metavar="HOST:PORT",
        help=f"serve a page with pictures, visits and health ({LiveSettings().address}); other addresses "
        "than loopback need a token",
    )
    results.add_argument("--visits", action="store_true", help="print visits, not every frame")
    results.add_argument("--json", action="store_true", help="print one JSON object per frame, visit and blind time")
    add_logging_arguments(results)


def _add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_argument_group("source")
    source.add_argument(
        "--source",
        metavar="SOURCE",
        help='"demo" (default), a folder of pictures, a video file, picamera2, a USB camera (0 or /dev/video0), or an '
        "rtsp:// or http:// address",
    )
    add_source_file_argument(source)
    source.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file; command-line options override it, SIGHUP reloads it",
    )
    source.add_argument("--fast", action="store_true", help="read every frame of a video file, as fast as possible")
    camera = parser.add_argument_group("camera")
    camera.add_argument("--flip", action="store_true", help="mirror left to right")
    camera.add_argument("--rotate", type=int, choices=ROTATIONS_DEG, help="rotate clockwise, in degrees")
    camera.add_argument(
        "--roi", type=_fractions, metavar="X,Y,W,H", help="region of interest, as fractions from 0 to 1"
    )
    camera.add_argument("--picture-size", type=_size, metavar="WxH", help="size of stored pictures (1920x1080)")
    camera.add_argument("--fps", type=float, metavar="HZ", help="frame rate to request from the camera")
    camera.add_argument("--focus", type=float, metavar="METRES", help="fixed focus (default: autofocus, if available)")


def _add_recognition_arguments(parser: argparse.ArgumentParser) -> None:
    recognition = parser.add_argument_group("recognition")
    recognition.add_argument("--rate", type=float, metavar="HZ", help="maximum number of frames to classify per second")
    recognition.add_argument(
        "--motion",
        action=argparse.BooleanOptionalAction,
        help="classify crops of what moves (default), or every frame as a whole",
    )
    recognition.add_argument(
        "--zoom",
        type=float,
        nargs="?",
        const=_ZOOM_EVERY_S,
        metavar="SECONDS",
        help=f"while nothing moves, classify the most conspicuous part of the frame this often ({_ZOOM_EVERY_S:g}); "
        'off by default; needs a bundle of "trailcam export --zoom"',
    )
    recognition.add_argument("--unknown", action="store_true", help="report unknown animals as visits too")


def run(arguments: argparse.Namespace) -> int:
    """Watch a source to its end; exit code 1 if a frame could not be read."""
    configure_logging(arguments)
    report_crashes()
    return_large_buffers()
    arguments.source = given_source(arguments)
    bad_frames: list[SourceError] = []

    def report(error: SourceError) -> None:
        bad_frames.append(error)
        _log.error("%s", error)

    # Without a file there is nothing to reload, and closing the terminal should end the watch.
    listening = nullcontext(Event()) if arguments.config is None else hangups()
    with stop_on_signals() as stop, listening as hangup:
        parts = RunnerParts(
            read=partial(_configure, arguments),
            open_model=partial(_open_model, arguments),
            select_monitor=partial(_select_monitor, arguments),
            output=_output(arguments),
            on_bad_frame=report,
            recorded_at=partial(recorded_at, zone=local_zone(os.environ.get("TZ"))[0]),
            notifier=open_notifier(),
            version=__version__,
        )
        Runner(parts, stop, hangup).run()
    if stop.interrupted:
        raise KeyboardInterrupt
    return 1 if bad_frames else 0


def _output(arguments: argparse.Namespace) -> JsonOutput | TextOutput:
    visits_only = getattr(arguments, "visits", False)
    return JsonOutput(visits_only) if arguments.json else TextOutput(visits_only)


def _open_model(arguments: argparse.Namespace, config: Config) -> Classifier:
    """Open the model of the options, or else that of the file."""
    chosen = dict(vars(arguments))
    if arguments.model is None:
        chosen["bundle"] = arguments.bundle or config.model.bundle
    chosen["threads"] = arguments.threads or config.model.threads
    folder = None if config.update is None else config.update.folder
    return open_classifier(argparse.Namespace(**chosen), proven_below=folder)


def _select_monitor(arguments: argparse.Namespace, config: Config) -> TrialMonitor | None:
    """Return the monitor that selects the bundle; None if options or file select one, or without ``[update]``."""
    if config.update is None or arguments.model is not None or arguments.bundle is not None:
        return None
    if config.model.bundle is not None:
        _log.info("%s runs, because [model] names it; the updater is not used.", config.model.bundle)
        return None
    frame_s = 0.0 if config.watch.rate_hz is None else 1 / config.watch.rate_hz
    return TrialMonitor(Updater(config.update), config.update, gap_s=config.recovery.stall_s + frame_s)


def _configure(arguments: argparse.Namespace) -> Config:
    """Read the configuration file, if any, and apply the options; an option out of range is a usage error."""
    config = Config() if arguments.config is None else read_config(arguments.config)
    options: dict[str, Any] = {
        "source": arguments.source,
        "fast": arguments.fast or None,
        "flip": arguments.flip or None,
        "rotate_deg": arguments.rotate,
        "roi": arguments.roi,
        "picture_size_px": arguments.picture_size,
        "frame_rate_hz": arguments.fps,
        "focus_m": arguments.focus,
    }
    if arguments.source is not None:
        config = replace(config, camera=replace(config.camera, source="demo", source_file=None))
    try:
        camera = replace(config.camera, **{name: value for name, value in options.items() if value is not None})
        changed: dict[str, Any] = {"camera": camera}
        motion = {"enabled": arguments.motion, "zoom_every_s": arguments.zoom}
        changed["motion"] = replace(config.motion, **{name: v for name, v in motion.items() if v is not None})
        if arguments.unknown:
            outcomes = tuple(dict.fromkeys((*config.visits.reported_outcomes, PERSON, UNKNOWN)))
            changed["visits"] = replace(config.visits, reported_outcomes=outcomes)
        if arguments.rate is not None:
            changed["watch"] = replace(config.watch, rate_hz=arguments.rate)
        if arguments.store is not None:
            changed["store"] = replace(config.store or StoreSettings(), folder=arguments.store)
        if arguments.clips:
            changed["clips"] = config.clips or ClipSettings()
        if arguments.live is not None:
            changed["live"] = replace(config.live or LiveSettings(), address=arguments.live)
        config = replace(config, **changed)
    except ValueError as error:
        usage_error(str(error))
    config = replace(config, camera=config.camera.resolved())
    if config.live is not None and config.camera.source == "demo":
        # a page needs a source without an end
        config = replace(config, camera=replace(config.camera, source=DEMO_LOOP))
    if config.camera.source == DEMO_LOOP:  # photographs: nothing moves in them
        config = replace(config, motion=replace(config.motion, enabled=False, zoom_every_s=0.0))
    return config


def _fractions(text: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = map(float, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected four fractions, for example 0.25,0,0.5,1") from error
    return x, y, width, height


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = map(int, text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected width and height, for example 1280x720") from error
    return width, height
