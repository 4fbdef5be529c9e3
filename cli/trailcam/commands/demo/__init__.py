"""``trailcam demo``: recognise animals now, with the built-in bundle and built-in photographs; mistakes are counted."""

import argparse
import textwrap
import threading

from trailcam.commands.demo.material import read_photographs, read_sequence
from trailcam.commands.demo.output import DemoJson, DemoOutput, DemoText
from trailcam.model_options import add_model_arguments, open_classifier
from trailcam.process.signals import stop_on_signals
from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_edge.events import Visit
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import watch
from trailcam_edge.sources import DEMO_FRAMES, open_source

__all__ = ["add_arguments", "run"]

_NEXT = f"""
Authors and licences of the photographs: {DEMO_FRAMES / "frames.json"}

Next:
  trailcam classify PHOTO.jpg            your own photo
  trailcam watch --source FOLDER         a folder of photos or a video, frame by frame
  trailcam train FOLDER                  your own animals, one sub-folder per kind"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam demo``."""
    add_model_arguments(parser)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object per photograph, frame, visit and summary, each on a line"
    )


def run(arguments: argparse.Namespace) -> int:
    """Classify the photographs, watch the field sequence, and count the mistakes.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was counted up to then has been printed.
    """
    output: DemoOutput = DemoJson() if arguments.json else DemoText()
    with stop_on_signals() as stop:
        classifier = open_classifier(arguments)
        if not arguments.json:
            _introduce(classifier)
        _show_photographs(classifier, output, stop.event)
        if not stop.event.is_set():
            _show_sequence(classifier, output, stop.event)
    if stop.interrupted:
        raise KeyboardInterrupt
    if not arguments.json:
        print(_NEXT)
    return 0


def _introduce(classifier: Classifier) -> None:
    labels = classifier.output.labels
    listed = textwrap.shorten(", ".join(labels), 90, placeholder=" ...")
    print(f"{classifier.name} has {len(labels)} labels:\n  {listed}")
    print("No photograph was selected or left out because of a model's answer.")


def _show_photographs(classifier: Classifier, output: DemoOutput, stop: threading.Event) -> None:
    photographs = {item.file: item for item in read_photographs(classifier.output.labels)}
    try:
        for event in watch(lambda: open_source("demo", _refuse), classifier, stop=stop):
            if isinstance(event, FrameResult) and event.answer is not None:
                output.photograph(photographs[event.frame.name], event, event.answer)
    finally:
        output.photographs_end()


def _show_sequence(classifier: Classifier, output: DemoOutput, stop: threading.Event) -> None:
    sequence = read_sequence(classifier.output.labels)
    path = str(DEMO_FRAMES / sequence.file)
    output.sequence_begin(sequence)
    try:
        for event in watch(lambda: open_source(path, _refuse), classifier, stop=stop):
            if isinstance(event, FrameResult):
                output.frame(sequence, event)
            elif isinstance(event, Visit):
                output.visit(event)
    finally:
        output.sequence_end(sequence)


def _refuse(error: SourceError) -> None:
    raise error
