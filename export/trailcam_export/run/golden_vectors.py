"""Make the golden vectors of a bundle and measure the tolerance for other machines.

The expected logits are those of the shipped file, run as the device runs it. The legitimate difference between machines
is measured: the same file with one thread, with two, and on other kernels: without XNNPACK (TFLite), without graph
optimisation (ONNX), which is other code with other rounding and so the best substitute for another processor. The
tolerance is twice the largest difference, and at least:

float32        0.001 and 0.0001 of the largest logit, what parity with Keras allows (sums in another order). Measured on
               EfficientNet-Lite0 at 224 px, 60 pictures: 0.00002.
float16        what parity allows it: processors with arithmetic in half precision may use it
int8           two quanta of the output. Measured there: threads 0, XNNPACK against builtin kernels up to 5 quanta (0.4
               of a logit), so 10 are allowed; exchanging red and blue moved half the pictures by 19 quanta or more.
other integer  0.01 and 0.01 of the largest logit
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.bundle.golden_file import GoldenVectors
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import ExportError
from trailcam_core.images.decode import IMAGE_SUFFIXES, read_image
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.inference.file_model import FileModel
from trailcam_core.inference.open_model import open_model
from trailcam_core.inference.runtimes import load_onnxruntime
from trailcam_core.spec import InputSpec
from trailcam_export.inference.batches import Images, Logits, fit_file
from trailcam_export.inference.parity import parity_tolerance

GOLDEN_COUNT = 8
_SOURCE_PX = 320  # longer side of the picture that replays preprocessing: room for a halving and a bilinear step
_SAFETY = 2.0
_INT8_QUANTA = 2.0
_INTEGER_ABSOLUTE = _INTEGER_RELATIVE = 0.01


@dataclass(frozen=True)
class GoldenPictures:
    """``images`` (n, H, W, 3) as the model takes them, and ``source``, the first of them before preprocessing."""

    images: Images
    source: Image


@dataclass(frozen=True)
class GoldenChoice:
    """The pictures that travel in the bundles: ``files``, or ``pictures`` of another bundle; and notes for the user."""

    files: tuple[Path, ...] = ()
    pictures: GoldenPictures | None = None
    notes: tuple[str, ...] = ()


def choose_golden(run: Run, data: Path, folder: Path | None, earlier: GoldenPictures | None) -> GoldenChoice:
    """Choose the pictures that travel in the bundles. A picture that an import brought travels only if it is named.

    Such pictures are of the user's cameras, and everybody with a bundle can read its golden vectors. So they are, in
    this order: the pictures of ``folder``, those of the earlier bundle, test pictures that no import brought, and
    those of the built-in bundle.

    Args:
        run: to export.
        data: the folder of its pictures.
        folder: that the user names, if any.
        earlier: pictures of the bundle whose frozen part is kept, if any; the same ones make the update small.

    Raises:
        ExportError: ``folder`` is missing or holds no picture.
    """
    if folder is None and earlier is not None:
        return GoldenChoice(pictures=earlier)
    files = tuple(choose_golden_files(run, data, folder))
    if files:
        return GoldenChoice(files)
    note = "all test pictures are of your cameras, so the golden vectors use those of the built-in bundle"
    return GoldenChoice(pictures=_builtin_pictures(run.input), notes=(f'{note}; name others with "--golden DIR"',))


def _builtin_pictures(spec: InputSpec) -> GoldenPictures:
    vectors = open_bundle(BUILTIN_BUNDLE).read_golden()
    return GoldenPictures(np.stack([fit_image(image, spec) for image in vectors.images]), vectors.source)


def choose_golden_files(run: Run, data: Path, folder: Path | None = None) -> list[Path]:
    """Return at most eight pictures: of ``folder`` in name order, else one of each label of the test split in turn.

    Pictures of an import are left out unless they are in ``folder``, so there may be none.

    Raises:
        ExportError: ``folder`` is missing or holds no picture.
    """
    if folder is None:
        tested = [row for row in run.pictures("test") if row.sha256 not in run.imported]
        piles = [[row.file for row in tested if row.label == label] for label in run.labels]
        deepest = max(map(len, piles))
        turns = [pile[turn] for turn in range(deepest) for pile in piles if turn < len(pile)]
        return [data / file for file in turns[:GOLDEN_COUNT]]
    if not folder.is_dir():
        raise ExportError(
            f"{folder}: no such folder. --golden names a folder of pictures that may travel in the bundle."
        )
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        raise ExportError(f"{folder}: no picture in it ({', '.join(sorted(IMAGE_SUFFIXES))}), expected up to eight.")
    return found[:GOLDEN_COUNT]


def read_golden_pictures(files: Sequence[Path], spec: InputSpec) -> GoldenPictures:
    """Read the pictures; the first is also kept as an image of at most 320 px a side.

    Raises:
        SourceError: one cannot be read.
    """
    source = read_image(files[0])
    height, width = source.shape[:2]
    longer = max(height, width)
    if longer > _SOURCE_PX:
        size = max(1, round(width * _SOURCE_PX / longer)), max(1, round(height * _SOURCE_PX / longer))
        source = np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_AREA), np.uint8)
    return GoldenPictures(np.stack([fit_file(file, spec) for file in files]), source)


def make_golden(
    path: Path, pictures: GoldenPictures, spec: InputSpec, scheme: str = "float32"
) -> tuple[GoldenVectors, float]:
    """Run a TFLite or ONNX file on the pictures; return its golden vectors and the tolerance of a logit.

    Raises:
        BundleError: the file cannot be loaded or run.
    """
    model = open_model(path, num_threads=1)
    logits = _run(model, pictures.images)
    plain = _plain_onnx(path) if path.suffix == ".onnx" else _plain_tflite(path, model)
    others = [
        _run(open_model(path, num_threads=2), pictures.images),
        np.stack([plain(item) for item in pictures.images]),
    ]
    worst = max(float(np.abs(other - logits).max()) for other in others)
    golden = GoldenVectors(pictures.images, logits, pictures.source, fit_image(pictures.source, spec))
    return golden, max(_least_tolerance(model, logits, scheme), _SAFETY * worst)


def _least_tolerance(model: FileModel, logits: Logits, scheme: str) -> float:
    if model.output.scale:
        return _INT8_QUANTA * model.output.scale
    if scheme in ("float32", "float16"):
        return parity_tolerance(logits, scheme)
    return _INTEGER_ABSOLUTE + _INTEGER_RELATIVE * float(np.abs(logits).max())


def _run(model: FileModel, images: Images) -> Logits:
    return np.stack([model.invoke(image[None]) for image in images])


def _plain_tflite(path: Path, model: FileModel) -> Callable[[Image], Logits]:
    """Return a function that runs one image without XNNPACK."""
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=resolver, num_threads=1)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def answer(image: Image) -> Logits:
        interpreter.set_tensor(taken, image[None])
        interpreter.invoke()
        stored = interpreter.get_tensor(given)[0].astype(np.float32)
        if model.output.scale:
            stored = (stored - model.output.zero_point) * np.float32(model.output.scale)
        return np.asarray(stored, np.float32)

    return answer


def _plain_onnx(path: Path) -> Callable[[Image], Logits]:
    """Return a function that runs one image without operator fusion, with integers as the floats they represent."""
    runtime = load_onnxruntime()
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: np.asarray(session.run(None, {name: image[None]})[0][0], np.float32)
