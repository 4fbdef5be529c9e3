"""Alternatives to Trailcam as programs: environment, command line and format of the output.

Each runs in a separate environment, by its command or by a short script of ``programs`` that follows the guide of its
makers; none is imported here. Ultralytics is under the AGPL: only its command is run.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trailcam_benchmarks.host.virtual_environments import Environment

_PROGRAMS = Path(__file__).parent / "programs"
_TABBED = re.compile(r"(?P<name>[^\t]+)\t(?P<label>.+)")


@dataclass(frozen=True)
class ProgramInputs:
    """Inputs of the programs: a TFLite bundle, its training if there is one, and a folder of JPEGs.

    ``labels`` is a JSON file with the list of labels.
    """

    bundle: Path
    run: Path | None
    labels: Path
    pictures: Path


@dataclass(frozen=True)
class Program:
    """A program.

    ``environment`` is None for this Python. ``command`` returns the command line, from the folder of the environment's
    programs and the inputs; ``answer`` matches the line of stdout for a picture, with its name and label if shown;
    ``packages`` are those whose versions are recorded; ``note`` is for the readers of the table.
    """

    name: str
    environment: Environment | None
    command: Callable[[Path, ProgramInputs], list[str]]
    answer: re.Pattern[str]
    packages: tuple[str, ...]
    note: str = ""
    needs_run: bool = False


def _litert() -> str:
    """Return the requirement for the LiteRT of this environment, so that only the script around it differs."""
    try:
        return f"ai-edge-litert=={version('ai-edge-litert')}"
    except PackageNotFoundError:
        return "ai-edge-litert"


def _script(name: str, *words: Callable[[ProgramInputs], object]) -> Callable[[Path, ProgramInputs], list[str]]:
    def command(programs: Path, inputs: ProgramInputs) -> list[str]:
        return [str(programs / "python"), str(_PROGRAMS / name), *(str(word(inputs)) for word in words)]

    return command


def _model(inputs: ProgramInputs) -> Path:
    return inputs.bundle / "model.tflite"


def _classify(_: Path, inputs: ProgramInputs) -> list[str]:
    words = ["classify", str(inputs.pictures), "--bundle", str(inputs.bundle), "--json"]
    return [sys.executable, "-m", "trailcam", *words]


def _yolo(programs: Path, inputs: ProgramInputs) -> list[str]:
    words = ["model=yolo11n-cls.yaml", f"source={inputs.pictures}", "imgsz=224", "device=cpu", "save=False"]
    return [str(programs / "yolo"), "classify", "predict", *words]


TRAILCAM = Program(
    "trailcam classify",
    None,
    _classify,
    # The best label, as of the others: without the reject rule.
    re.compile(r'\{"path": "(?:[^"]*/)?(?P<name>[^"/]+)", .*?"top": \[\{"label": "(?P<label>[^"]+)"'),
    ("trailcam", "ai-edge-litert"),
    "as many threads as the machine has cores, at most 4",
)
ALTERNATIVES = {
    "label_image": Program(
        "label_image",
        Environment("label-image", (_litert(), "pillow")),
        _script("label_image.py", _model, lambda inputs: inputs.labels, lambda inputs: inputs.pictures),
        _TABBED,
        ("ai-edge-litert", "pillow"),
        "the same model file, with LiteRT's default of one thread; stretches the picture, no reject rule",
    ),
    "mediapipe": Program(
        "mediapipe",
        Environment("mediapipe", ("mediapipe",)),
        _script("mediapipe_classify.py", _model, lambda inputs: inputs.pictures),
        _TABBED,
        ("mediapipe",),
        # One thread: GetXnnpackDefaultNumThreads in MediaPipe's calculators/tensor/inference_calculator_utils.cc.
        "the same model file, by MediaPipe Tasks' ImageClassifier, which takes one thread where it is not a telephone; "
        "stretches the picture, no reject rule",
    ),
    "keras": Program(
        "keras",
        None,
        _script("keras_predict.py", lambda inputs: inputs.run, lambda inputs: inputs.pictures),
        _TABBED,
        ("keras", "tensorflow"),
        "the training's own float32 model, by model.predict, with TensorFlow's default of a thread per core; stretches "
        "the picture, no reject rule",
        needs_run=True,
    ),
    "ultralytics": Program(
        "ultralytics",
        Environment("ultralytics", ("ultralytics",)),
        _yolo,
        re.compile(r"image \d+/\d+ (?:.*/)?(?P<name>[^/]+?): \d+x\d+ "),
        ("ultralytics", "torch"),
        "another network, YOLO11n-cls at 224 px, made from its description with random weights: its time is that of "
        "the trained one, its answers are none. On x86-64 Linux pip's PyTorch brings CUDA: 6 GB on disk",
    ),
}
