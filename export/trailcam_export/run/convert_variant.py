"""Convert a trained model to the file of one variant: convert, check, embed metadata, compare a float file."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import onnx

from trailcam_core.errors import ExportError
from trailcam_core.images.resize import Image
from trailcam_core.jobs.progress import Progress
from trailcam_export.convert.embedded_metadata import embed_onnx_metadata, embed_tflite_metadata
from trailcam_export.convert.onnx_check import check_onnx, onnx_kernel_size
from trailcam_export.convert.onnx_feature_map import add_onnx_feature_map
from trailcam_export.convert.quantise import quantise
from trailcam_export.convert.to_onnx import convert_onnx_float32, quantise_onnx, to_float16
from trailcam_export.convert.to_tflite import convert_float16, convert_float32
from trailcam_export.convert.variants import Variant
from trailcam_export.inference.batches import Images
from trailcam_export.inference.parity import check_parity
from trailcam_export.inference.predict import FilePredictor, Predictor
from trailcam_export.onnx_model.open_onnx import OnnxClassifier
from trailcam_export.run.earlier_bundle import convert_with_kept_part
from trailcam_export.run.plan import ExportPlan
from trailcam_export.run.resume_cache import ConvertedFile, ResumeCache
from trailcam_export.tflite.checks import check_graph
from trailcam_export.tflite.feature_map import add_feature_map
from trailcam_export.tflite.inspect import check_weights, kernel_size, runtime_min, shorten_names

_ONNXRUNTIME = "1.17"  # the oldest on which golden vectors were replayed; the files themselves need opset 17, IR 8


class VariantConverter:
    """Converts one trained model.

    Args:
        model: (N, H, W, 3) uint8 RGB to (N, K) float32 logits; of ONNX only ONNX files are made.
        trained: runs it.
        plan: of the export.
        calibration: returns the calibration images for a variant, by the name for progress, anew at each call.
        parity_images: (N, H, W, 3) real images.
        cache: keeps finished files.
        progress: receives what an integer scheme does after calibration.
    """

    def __init__(
        self,
        model: keras.Model | OnnxClassifier,
        trained: Predictor,
        plan: ExportPlan,
        calibration: Callable[[str], Iterator[Image]],
        parity_images: Images,
        cache: ResumeCache,
        progress: Progress,
    ) -> None:
        self._model, self._trained, self._card = model, trained, plan.card
        self._calibration, self._parity_images = calibration, parity_images
        self._quantizer, self._cache, self._progress = plan.quantizer, cache, progress
        self._zoom, self._kept = plan.zoom, plan.kept
        self._onnx: onnx.ModelProto | None = None
        if isinstance(model, OnnxClassifier):
            self._onnx, self._kernels = model.proto, onnx_kernel_size(model.proto)
        else:
            self._kernels = kernel_size(model)

    def convert(self, variant: Variant) -> ConvertedFile:
        """Convert, check and keep one variant; a file in the cache is used as it is.

        Raises:
            ExportError: it cannot be converted, or the conversion is wrong.
            OSError: the disk is full or read-only.
        """
        before = self._cache.load_converted(variant.name, variant.format)
        if before is not None:
            return before
        start_s = time.monotonic()
        content = self._tflite(variant) if variant.format == "tflite" else self._onnx_file(variant)
        seconds = time.monotonic() - start_s
        parity = self._parity(variant, content) if variant.is_float else None
        return self._cache.save_converted(variant.name, variant.format, content, parity, seconds)

    def finish(self, variant: Variant, content: bytes, seconds: float) -> ConvertedFile:
        """Embed the metadata in an integer TFLite file of ``--fix``, check and keep it.

        Raises:
            ExportError: the file does not satisfy the rules of its variant.
            OSError: the disk is full or read-only.
        """
        content = self._finish(variant, content)
        return self._cache.save_converted(variant.name, variant.format, content, None, seconds)

    def _tflite(self, variant: Variant) -> bytes:
        if variant.scheme == "float32":
            content = convert_float32(self._model)
        elif variant.scheme == "float16":
            content = convert_float16(self._model)
        else:
            pictures = self._calibration(variant.name) if variant.needs_calibration else iter(())
            if self._kept is not None and variant.scheme == "int8":
                content = convert_with_kept_part(self._model, self._kept, pictures)
            else:
                content = quantise(self._model, variant.scheme, pictures, self._quantizer, self._progress)
        return self._finish(variant, content)

    def _finish(self, variant: Variant, content: bytes) -> bytes:
        if not variant.is_float:
            content = shorten_names(content)  # a float file, for study, keeps them whole
        feature_map = None
        if self._zoom:
            content, feature_map = add_feature_map(content, variant.name)
        content = embed_tflite_metadata(content, self._card)
        shape, count = tuple(self._model.input_shape[1:]), self._model.output_shape[-1]
        check_graph(content, variant.scheme, shape, count, feature_map)
        check_weights(content, variant.name, self._kernels)
        return content

    def _onnx_file(self, variant: Variant) -> bytes:
        shape, count = tuple(self._model.input_shape[1:]), self._model.output_shape[-1]
        if self._onnx is None:
            self._onnx = convert_onnx_float32(self._model)
            check_onnx(self._onnx, "float32", shape, count, self._kernels)
        model = self._onnx
        if variant.scheme == "float16":
            model = to_float16(model)
        elif variant.scheme == "int8":
            model = quantise_onnx(model, self._calibration(variant.name))
        feature_map = None
        if self._zoom:
            model, feature_map = add_onnx_feature_map(model, variant.name)
        content = embed_onnx_metadata(model, self._card)
        check_onnx(onnx.load_from_string(content), variant.scheme, shape, count, self._kernels, feature_map)
        return content

    def _parity(self, variant: Variant, content: bytes) -> float:
        path = self._cache.path / f"parity.{variant.format}"
        path.write_bytes(content)
        try:
            return check_parity(self._trained, FilePredictor(path), self._parity_images, variant.scheme, variant.name)
        finally:
            path.unlink()


def find_runtime_min(variant: Variant, path: Path) -> dict[str, str | None]:
    """Return the oldest runtimes that can run a file, for the manifest."""
    if variant.format == "onnx":
        return {"onnxruntime": _ONNXRUNTIME}
    if variant.format == "tflite":
        return runtime_min(path.read_bytes())
    raise ExportError(f"{path}: no runtime is known for the format {variant.format}.")
