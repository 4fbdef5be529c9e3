"""``trailcam cameras``: list the cameras of this machine, and the reasons why others are missing."""

import argparse
import sys
from dataclasses import asdict

from trailcam.json_records import json_line
from trailcam_core.errors.command_line import command_line
from trailcam_core.files.names import printable
from trailcam_edge.sources.discovery import list_cameras


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam cameras``."""
    parser.add_argument("--json", action="store_true", help="print cameras and problems as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """List the cameras; problems of others go to stderr and are not a failure."""
    cameras, problems = list_cameras()
    if arguments.json:
        record = {"cameras": [asdict(camera) for camera in cameras], "problems": [str(error) for error in problems]}
        print(json_line(record))
        return 0
    for camera in cameras:
        print(f"{camera.source:<14}{printable(camera.name)}")
    for error in problems:
        print(f"trailcam: {printable(str(error))}", file=sys.stderr)
    if cameras:
        print(f'Watch one with "{command_line("watch", "--source", cameras[0].source)}".')
    else:
        print('No camera was found. Network cameras are not detected: "trailcam watch --source rtsp://...".')
    return 0
