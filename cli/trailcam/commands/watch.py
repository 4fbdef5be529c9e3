"""``trailcam watch``: live recognition in a terminal."""

import argparse
import sys
from collections.abc import Callable
from functools import partial

from trailcam.commands.opening import add_model_arguments, open_classifier, usage_error
from trailcam.commands.watch_output import JsonOutput, TextOutput
from trailcam.signals import stop_on_signals
from trailcam_edge.errors import SourceError
from trailcam_edge.events import PERSON, UNKNOWN
from trailcam_edge.sources import Source
from trailcam_edge.sources.view import ROTATIONS_DEG
from trailcam_edge.watch import open_configured, watch
from trailcam_edge.watch_settings import CameraSettings, MotionSettings, VisitSettings, WatchSettings

__all__ = ["add_arguments", "follow", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam watch``."""
    parser.add_argument(
        "--source",
        default="demo",
        metavar="SOURCE",
        help='"demo" (default), a folder of pictures, a video file, picamera2, a USB camera (0 or /dev/video0), or an '
        "rtsp:// or http:// address",
    )
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per frame, visit or blind time and line")
    parser.add_argument("--visits", action="store_true", help="print visits, not every frame")
    parser.add_argument("--unknown", action="store_true", help="something unknown is a visit too; best with --motion")
    parser.add_argument("--motion", action="store_true", help="look only at frames in which something moved")
    parser.add_argument("--rate", type=float, metavar="HZ", help="frames a second to classify at most")
    camera = parser.add_argument_group("camera")
    camera.add_argument("--fast", action="store_true", help="a video file as fast as possible, every frame of it")
    camera.add_argument("--flip", action="store_true", help="mirror left to right")
    camera.add_argument("--rotate", type=int, default=0, choices=ROTATIONS_DEG, help="turn clockwise, in degrees")
    camera.add_argument("--roi", type=_shares, metavar="X,Y,W,H", help="region that counts, as shares from 0 to 1")
    camera.add_argument("--picture-size", type=_size, metavar="WxH", help="of pictures that are kept (1920x1080)")
    camera.add_argument("--fps", type=float, metavar="HZ", help="frame rate to ask the camera for")
    camera.add_argument("--focus", type=float, metavar="METRES", help="fixed focus (default: autofocus, if it can)")


def run(arguments: argparse.Namespace) -> int:
    """Watch a source to its end; exit code 1 if a frame could not be read."""
    bad_frames: list[SourceError] = []

    def report(error: SourceError) -> None:
        bad_frames.append(error)
        print(f"trailcam: {error}", file=sys.stderr)

    settings = _settings(arguments)
    follow(partial(open_configured, settings, report), arguments, settings)
    return 1 if bad_frames else 0


def follow(reopen: Callable[[], Source], arguments: argparse.Namespace, settings: WatchSettings) -> None:
    """Print what happens until the source ends or somebody stops it; then, in either case, what was seen.

    Raises:
        KeyboardInterrupt: it was stopped with Ctrl-C; everything has been printed.
    """
    visits_only = getattr(arguments, "visits", False)
    output = JsonOutput(visits_only) if arguments.json else TextOutput(visits_only)
    with stop_on_signals() as stop:
        source = reopen()  # before the model: a wrong name is told at once
        with output:
            classifier = open_classifier(arguments)
            for happening in watch(_first(source, reopen), classifier, settings, stop.event, report=_tell):
                output.show(happening)
    if stop.interrupted:
        raise KeyboardInterrupt


def _first(source: Source, reopen: Callable[[], Source]) -> Callable[[], Source]:
    """Return an opener that hands out ``source`` first, which is open already."""
    waiting = [source]
    return lambda: waiting.pop() if waiting else reopen()


def _tell(message: str) -> None:
    print(f"trailcam: {message}", file=sys.stderr, flush=True)


def _settings(arguments: argparse.Namespace) -> WatchSettings:
    """Turn the options into settings; a value that makes no sense is a usage error."""
    sizes = {} if arguments.picture_size is None else {"picture_size_px": arguments.picture_size}
    outcomes = (PERSON, UNKNOWN) if arguments.unknown else (PERSON,)
    try:
        return WatchSettings(
            camera=CameraSettings(
                source=arguments.source,
                fast=arguments.fast,
                flip=arguments.flip,
                rotate_deg=arguments.rotate,
                roi=arguments.roi,
                frame_rate_hz=arguments.fps,
                focus_m=arguments.focus,
                **sizes,
            ),
            motion=MotionSettings(enabled=arguments.motion),
            visits=VisitSettings(reported_outcomes=outcomes),
            rate_hz=arguments.rate,
        )
    except ValueError as error:
        usage_error(str(error))


def _shares(text: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = map(float, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected four shares, for example 0.25,0,0.5,1") from error
    return x, y, width, height


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = map(int, text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected width and height, for example 1280x720") from error
    return width, height
