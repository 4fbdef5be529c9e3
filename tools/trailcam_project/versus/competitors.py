"""What a person might use instead of Trailcam, as programs: where each lives, how it is called, how it answers.

Each runs in an environment of its own, by its own command or by a short script of ``programs`` that follows its maker's
guide; none is imported here. Ultralytics is under the AGPL: only its own command is run.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trailcam_benchmarks.host.virtual_environments import Environment

__all__ = ["OURS", "RIVALS", "Material", "Rival"]

_PROGRAMS = Path(__file__).parent / "programs"
_TABBED = re.compile(r"(?P<name>[^\t]+)\t(?P<label>.+)")


@dataclass(frozen=True)
class Material:
    """What the programs are given: a TFLite bundle, the training it came from if there is one, a folder of JPEGs.

    ``labels`` is a JSON file with the list of labels.
    """

    bundle: Path
    run: Path | None
    labels: Path
    pictures: Path


@dataclass(frozen=True)
class Rival:
    """A program.

    ``environment`` is None for this Python. ``command`` gives the words, from the folder of the environment's programs
    and the material; ``answer`` matches a line of stdout that answers a picture and may name it and its label;
    ``packages`` are those whose versions are told; ``note`` is what a reader must know of it.
    """

    name: str
    environment: Environment | None
    command: Callable[[Path, Material], list[str]]
    answer: re.Pattern[str]
    packages: tuple[str, ...]
    note: str = ""
    needs_run: bool = False


def _litert() -> str:
    """Return the LiteRT that Trailcam itself uses here, so that the script around it makes the difference."""
    try:
        return f"ai-edge-litert=={version('ai-edge-litert')}"
    except PackageNotFoundError:
        return "ai-edge-litert"


def _script(name: str, *words: Callable[[Material], object]) -> Callable[[Path, Material], list[str]]:
    def command(programs: Path, material: Material) -> list[str]:
        return [str(programs / "python"), str(_PROGRAMS / name), *(str(word(material)) for word in words)]

    return command


def _model(material: Material) -> Path:
    return material.bundle / "model.tflite"


def _classify(_: Path, material: Material) -> list[str]:
    words = ["classify", str(material.pictures), "--bundle", str(material.bundle), "--json"]
    return [sys.executable, "-m", "trailcam", *words]


def _yolo(programs: Path, material: Material) -> list[str]:
    words = ["model=yolo11n-cls.yaml", f"source={material.pictures}", "imgsz=224", "device=cpu", "save=False"]
    return [str(programs / "yolo"), "classify", "predict", *words]


OURS = Rival(
    "trailcam classify",
    None,
    _classify,
    # The best label, as the others give it: the reject rule is not asked.
    re.compile(r'\{"path": "(?:[^"]*/)?(?P<name>[^"/]+)", .*?"top": \[\{"label": "(?P<label>[^"]+)"'),
    ("trailcam", "ai-edge-litert"),
    "as many threads as the machine has cores, at most 4",
)
RIVALS = {
    "label_image": Rival(
        "label_image",
        Environment("label-image", (_litert(), "pillow")),
        _script("label_image.py", _model, lambda material: material.labels, lambda material: material.pictures),
        _TABBED,
        ("ai-edge-litert", "pillow"),
        "the same model file, with LiteRT's default of one thread; stretches the picture, no reject rule",
    ),
    "mediapipe": Rival(
        "mediapipe",
        Environment("mediapipe", ("mediapipe",)),
        _script("mediapipe_classify.py", _model, lambda material: material.pictures),
        _TABBED,
        ("mediapipe",),
        # One thread: GetXnnpackDefaultNumThreads in MediaPipe's calculators/tensor/inference_calculator_utils.cc.
        "the same model file, by MediaPipe Tasks' ImageClassifier, which takes one thread where it is not a telephone; "
        "stretches the picture, no reject rule",
    ),
    "keras": Rival(
        "keras",
        None,
        _script("keras_predict.py", lambda material: material.run, lambda material: material.pictures),
        _TABBED,
        ("keras", "tensorflow"),
        "the training's own float32 model, by model.predict, with TensorFlow's default of a thread per core; stretches "
        "the picture, no reject rule",
        needs_run=True,
    ),
    "ultralytics": Rival(
        "ultralytics",
        Environment("ultralytics", ("ultralytics",)),
        _yolo,
        re.compile(r"image \d+/\d+ (?:.*/)?(?P<name>[^/]+?): \d+x\d+ "),
        ("ultralytics", "torch"),
        "another network, YOLO11n-cls at 224 px, made from its description with random weights: its time is that of "
        "the trained one, its answers are none. On x86-64 Linux pip's PyTorch brings CUDA: 6 GB on disk",
    ),
}
