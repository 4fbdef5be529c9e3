"""``trailcam watch``: live recognition in a terminal, frame by frame."""

import argparse
import json
import sys
from pathlib import Path

from trailcam.commands.answers import answer_record
from trailcam.commands.opening import add_model_arguments, open_classifier
from trailcam_edge.classifier import Classification
from trailcam_edge.errors import SourceError
from trailcam_edge.sightings import find_sightings
from trailcam_edge.sources import Source, open_source
from trailcam_edge.watch import Observation, watch

__all__ = ["add_arguments", "follow", "run"]

_BAR_CHARACTERS = 20

Seen = list[tuple[int, Classification]]  # sequence number and answer of each frame


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam watch``."""
    parser.add_argument(
        "--source", default="demo", metavar="SOURCE", help='"demo", a folder of pictures or a video file (default demo)'
    )
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per frame and line")


def run(arguments: argparse.Namespace) -> int:
    """Watch a source to its end; exit code 1 if a frame could not be read."""
    bad_frames: list[SourceError] = []

    def report(error: SourceError) -> None:
        bad_frames.append(error)
        print(f"trailcam: {error}", file=sys.stderr)

    with open_source(arguments.source, report) as source:
        follow(source, arguments)
    return 1 if bad_frames else 0


def follow(source: Source, arguments: argparse.Namespace) -> None:
    """Print the answer for every frame; then, also after Ctrl-C, what was seen."""
    classifier = open_classifier(arguments)
    seen: Seen = []
    try:
        for observation in watch(source, classifier):
            seen.append((observation.frame.sequence, observation.answer))
            (_print_json if arguments.json else _print_line)(observation)
    finally:
        if seen and not arguments.json:
            _print_summary(seen)


def _print_line(observation: Observation) -> None:
    frame, answer = observation.frame, observation.answer
    label = answer.label or "-"
    bar = "█" * round(answer.confidence * _BAR_CHARACTERS) if answer.label else ""
    share = f"{answer.confidence:.0%}" if answer.label else ""
    print(
        f"{frame.sequence:>5}  {label:<14} {share:>4} {bar:<{_BAR_CHARACTERS}} {answer.latency_ms:>7.1f} ms"
        f" {observation.rate_hz:>6.1f} frames/s  {Path(frame.name).name}",
        flush=True,
    )


def _print_summary(seen: Seen) -> None:
    sightings = find_sightings((sequence, answer.label, answer.confidence) for sequence, answer in seen)
    latencies_ms = sorted(answer.latency_ms for _, answer in seen)
    unknown = sum(answer.label is None for _, answer in seen)
    print(f"\n{len(seen)} frames: {len(sightings)} sightings, and {unknown} frames with nothing known in them.")
    for sighting in sightings:
        frames = "frame" if sighting.frames == 1 else "frames"
        print(f"  {sighting.label:<14} {sighting.frames:>4} {frames:<7} best confidence {sighting.confidence:.0%}")
    print(f"Latency per frame: p50 {latencies_ms[len(latencies_ms) // 2]:.1f} ms, worst {latencies_ms[-1]:.1f} ms.")


def _print_json(observation: Observation) -> None:
    frame = observation.frame
    record = {"sequence": frame.sequence, "frame": frame.name, "timestamp_s": round(frame.timestamp_s, 6)}
    print(json.dumps(record | answer_record(observation.answer), ensure_ascii=False), flush=True)
