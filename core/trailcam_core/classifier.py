"""Classify pictures with a bundle or a bare model.

from trailcam import Classifier
classifier = Classifier.open()             # the built-in bundle; or Classifier.open("my.bundle")
answer = classifier.classify(image)        # (H, W, 3) uint8 RGB
print(answer.label, answer.confidence)
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_core.bundle.folder import Bundle, open_bundle
from trailcam_core.bundle.golden_replay import GoldenReport, check_model, replay
from trailcam_core.bundle.labels import match_labels, read_labels
from trailcam_core.errors import BundleError, SourceError
from trailcam_core.images.boxes import Box, square_crop
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.inference.decision import Candidate as Candidate
from trailcam_core.inference.decision import Classification as Classification
from trailcam_core.inference.decision import decide
from trailcam_core.inference.file_model import FileModel
from trailcam_core.inference.open_model import find_runtime_plugin, open_model
from trailcam_core.inference.runtimes import check_runtime, find_runtime
from trailcam_core.inference.second_look import find_box
from trailcam_core.inference.tflite import TFLiteModel, ValueRange
from trailcam_core.jobs.cores import usable_cores
from trailcam_core.jobs.read_ahead import read_ahead
from trailcam_core.spec import FITS, InputSpec, OutputSpec

BUILTIN_BUNDLE = Path(__file__).parent / "data" / "animals10.bundle"
_MOST_THREADS = 4  # cores of a Raspberry Pi; small models gain nothing beyond
_SMALLEST_PROBABILITY = 1e-7


class Classifier:
    """A model with its input and output rules. Create it with ``open`` or ``open_model``."""

    def __init__(
        self,
        model: FileModel,
        input_spec: InputSpec,
        output_spec: OutputSpec,
        bundle: Bundle | None = None,
        background: int | None = None,
    ) -> None:
        self._model = model
        self._bundle = bundle
        self.background = background
        self._probabilities_in = bundle is None and model.gives_probabilities
        self.input = input_spec
        self.output = output_spec

    @classmethod
    def open(cls, bundle: Path | str | Bundle | None = None, num_threads: int | None = None) -> "Classifier":
        """Open a bundle, or the built-in one.

        Args:
            bundle: folder of a bundle, or one that is open already.
            num_threads: threads of one inference; by default the number of usable cores, at most 4.

        Raises:
            BundleError: the bundle cannot be trusted or loaded.
            DeviceError: no interpreter for it is installed, or one that is too old.
        """
        path = BUILTIN_BUNDLE if bundle is None else bundle
        opened = path if isinstance(path, Bundle) else open_bundle(Path(path))
        entry = opened.manifest.model
        check_runtime(entry, find_runtime(entry.format), str(opened.model_path))
        model = open_model(opened.model_path, num_threads or _default_threads())
        if model.input.dtype != "uint8":
            raise BundleError(f"{opened.model_path}: takes {model.input.dtype}, a bundle's model takes uint8.")
        if model.gives_probabilities:
            raise BundleError(
                f"{opened.model_path}: ends with a softmax, a bundle's model gives logits. Export it again."
            )
        check_model(model, opened.manifest, str(opened.model_path))
        return cls(model, opened.manifest.input, opened.manifest.output, opened)

    @classmethod
    def open_model(
        cls,
        model: Path,
        labels: Path,
        background: int | None = None,
        value_range: ValueRange | None = None,
        fit: str = "crop",
        num_threads: int | None = None,
    ) -> "Classifier":
        """Open a bare TFLite classifier that came without a manifest, or a file that an added runtime reads.

        Dtype, scale, zero point and a final softmax are read from the file. The arguments give the rest.

        Args:
            model: the ``.tflite`` file.
            labels: text file, one label per line in the order of the outputs.
            background: class that means "nothing there". The label file may list it or leave it out.
            value_range: for a float32 input: the input values of pixel levels 0 and 255.
            fit: ``crop``, ``letterbox`` or ``stretch``.
            num_threads: see ``open``.

        Raises:
            BundleError: the model cannot be loaded, or labels and model disagree.
            ValueError: ``fit`` is none of these.
        """
        if fit not in FITS:
            raise ValueError(f"fit must be one of {', '.join(FITS)}, got {fit!r}")
        threads = num_threads or _default_threads()
        added = find_runtime_plugin(model)
        opened = TFLiteModel(model, threads, value_range) if added is None else added(model, threads)
        names = match_labels(read_labels(labels), opened.class_count, background, labels)
        height, width = opened.input_size
        output = OutputSpec(names, temperature=1.0, reject=None)
        return cls(opened, InputSpec(height, width, fit), output, background=background)

    @property
    def bundle(self) -> Bundle:
        """The bundle in use; its ``model_path`` is the model file.

        Raises:
            ValueError: a bare model is in use, which has none.
        """
        if self._bundle is None:
            raise ValueError("this classifier runs a bare model, which has no bundle")
        return self._bundle

    @property
    def name(self) -> str:
        """The name of the model in events: name and version of the bundle, or the file name of a bare model."""
        if self._bundle is None:
            return self._model.path.name
        return f"{self._bundle.manifest.name} {self._bundle.manifest.version}"

    @property
    def model(self) -> FileModel:
        """The open model, for measurements and comparisons."""
        return self._model

    def logits(self, image: Image) -> npt.NDArray[np.float32]:
        """Return the (K,) float32 logits of an (H, W, 3) uint8 RGB image of any size.

        Raises:
            BundleError: the model fails, or gives NaN or infinity.
            ValueError: not such an image.
        """
        return self.logits_of_input(fit_image(image, self.input))

    def classify(self, image: Image, top_count: int = 3) -> Classification:
        """Classify an (H, W, 3) uint8 RGB image of any size from 1x1 px.

        Raises:
            BundleError: the model fails, or gives NaN or infinity.
            ValueError: not such an image; ``read_image`` makes one from a file.
        """
        start_s = time.perf_counter()
        return self.classify_input(fit_image(image, self.input), top_count, start_s)

    def classify_input(self, fitted: Image, top_count: int = 3, start_s: float | None = None) -> Classification:
        """Classify an input tensor that ``fit_image`` made for this classifier.

        Args:
            fitted: (height, width, 3) uint8 RGB, the size of ``input``.
            top_count: candidates to list.
            start_s: ``time.perf_counter`` at which the latency starts; now by default.

        Raises:
            BundleError: the model fails, or gives NaN or infinity.
            ValueError: another size.
        """
        start_s = time.perf_counter() if start_s is None else start_s
        return self.answer(self.logits_of_input(fitted), top_count, start_s)

    def answer(
        self, logits: npt.NDArray[np.float32], top_count: int = 3, start_s: float | None = None
    ) -> Classification:
        """Turn logits, for example the mean of several crops, into an answer.

        Args:
            logits: (K,) float32, finite.
            top_count: candidates to list.
            start_s: ``time.perf_counter`` at which the latency starts; now by default.
        """
        start_s = time.perf_counter() if start_s is None else start_s
        answer = decide(logits, self.output, top_count, self.background)
        latency_ms = (time.perf_counter() - start_s) * 1e3
        return Classification(
            answer.label, answer.confidence, answer.top, latency_ms, answer.blank, rejection=answer.rejection
        )

    def classify_file(self, path: Path | str, top_count: int = 3) -> Classification:
        """Classify a picture file; a large JPEG is decoded at a fraction of its size.

        Raises:
            SourceError: the file cannot be read as a picture.
        """
        return self.classify(read_image(Path(path), self.input), top_count)

    def classify_files(
        self, paths: Iterable[Path | str], top_count: int = 3
    ) -> Iterator[tuple[Path, Classification | SourceError]]:
        """Classify many picture files, in their order; the next ones are decoded while the model runs.

        Yields each path with its answer, or with the error of a file that cannot be read as a picture. Arguments and
        further errors are those of ``classify_file``; ``paths`` are taken as needed, so they may be endless.
        """
        for path, found in read_ahead(map(Path, paths), lambda path: read_image(path, self.input)):
            yield path, found if isinstance(found, SourceError) else self.classify(found, top_count)

    def check_zoom(self) -> None:
        """Refuse a model without the output that a second look needs.

        Raises:
            BundleError: it has no feature map.
        """
        if self._model.feature_map_shape is None:
            raise BundleError(
                f"{self.name}: the model has no feature map as its second output, which --zoom needs to find where to "
                'look. Export it again with "trailcam export RUN --zoom", or leave out --zoom.'
            )

    def look_twice(self, image: Image, top_count: int = 3) -> Classification:
        """Classify an image, and if that names nothing, the most conspicuous part, ``box`` of the answer.

        Args:
            image: (H, W, 3) uint8 RGB of any size from 1x1 px; as large as there is.
            top_count: candidates to list.

        Raises:
            BundleError: the model has no feature map, fails, or gives NaN or infinity.
        """
        self.check_zoom()
        start_s = time.perf_counter()
        logits, box = self.logits_and_box(fit_image(image, self.input), (image.shape[0], image.shape[1]))
        whole = self.answer(logits, top_count, start_s)
        if whole.label is not None:
            return whole
        crop = square_crop(box, (image.shape[0], image.shape[1]), 1.0, 1)
        part = image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        closer = self.answer(self.logits(part), top_count, start_s)
        return whole if closer.label is None else replace(closer, box=box)

    def logits_and_box(self, fitted: Image, picture_size: tuple[int, int]) -> tuple[npt.NDArray[np.float32], Box]:
        """Return the (K,) float32 logits of an input tensor, and the box in which to look a second time.

        Args:
            fitted: the whole picture, made by ``fit_image`` for this classifier.
            picture_size: height and width of the picture in pixels.

        Raises:
            BundleError, ValueError: as for ``logits_of_input``, and without a feature map; see ``check_zoom``.
        """
        scores, features = self._model.invoke_with_features(fitted[None])
        return self._checked(scores), find_box(features, picture_size, self.input)

    def replay_golden(self) -> GoldenReport:
        """Run the bundle's golden vectors on this machine.

        Raises:
            BundleError: they are damaged.
        """
        manifest = self.bundle.manifest
        return replay(self._model, self.bundle.read_golden(), manifest.input, manifest.golden)

    def logits_of_input(self, fitted: Image) -> npt.NDArray[np.float32]:
        """Return the (K,) float32 logits of an input tensor that ``fit_image`` made for this classifier.

        Raises:
            BundleError: the model fails, or gives NaN or infinity.
            ValueError: another size.
        """
        return self._checked(self._model.invoke(fitted[None]))

    def _checked(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return scores as logits, if they are finite."""
        if not np.isfinite(scores).all():
            raise BundleError("the model gives NaN or infinity for this picture: it is broken. Export it again.")
        if self._probabilities_in:
            return np.log(np.maximum(scores, np.float32(_SMALLEST_PROBABILITY)))
        return scores


def _default_threads() -> int:
    return min(_MOST_THREADS, usable_cores())
