"""``trailcam demo``: recognise animals now, with the built-in bundle and built-in photographs; mistakes are counted."""

import argparse
import shutil
import sys
import textwrap
import threading
from pathlib import Path

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

_SOURCES_OF_PHOTOGRAPHS = DEMO_FRAMES / "frames.json"
_NEXT = (
    ("classify PHOTO.jpg", "your own photo"),
    ("watch --source FOLDER", "a folder of photos or a video, frame by frame"),
    ("train FOLDER", "your own animals, one sub-folder per kind"),
)


def program_name(called: str, folder: Path) -> str:
    """Return the command that runs this Trailcam in the shell that started it.

    That is "trailcam" if the shell finds this installation by it, else a path, relative to ``folder`` if it is below.

    Args:
        called: ``sys.argv[0]``.
        folder: the working folder.
    """
    found = shutil.which("trailcam")
    here = Path(sys.executable).with_name("trailcam")
    if Path(called).name == "__main__.py":
        return f"{Path(sys.executable).name} -m trailcam"
    if Path(called).name != "trailcam":
        return "trailcam"
    if found is not None and Path(found).resolve() == here.resolve():
        return "trailcam"
    return str(here.relative_to(folder)) if here.is_relative_to(folder) else str(here)


def _describe_next(program: str) -> str:
    width = max(len(words) for words, _ in _NEXT)
    steps = "\n".join(f"  {program} {words:<{width}}   {meaning}" for words, meaning in _NEXT)
    return f"\nAuthors and licences of the photographs: {_SOURCES_OF_PHOTOGRAPHS}\n\nNext:\n{steps}"


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
        print(_describe_next(program_name(sys.argv[0], Path.cwd())))
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
