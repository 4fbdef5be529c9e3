"""The model under measurement: a bundle on the installed interpreter, its baseline, or a Keras model."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trailcam_benchmarks.worker.stages import Stages, model_stages, raw_invoke_stages
from trailcam_core.classifier import Classifier
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image
from trailcam_core.inference.runtimes import find_runtime, load_onnxruntime, load_runtime


@dataclass(frozen=True)
class BenchmarkedModel:
    """An open model: identity, stages, and the prediction for a picture file.

    ``runtime`` is the interpreter with its version, ``stated_top1`` the accuracy in the manifest. ``source_sha256`` is
    the digest of the Keras model this file was converted from, empty if the manifest has none. ``best`` returns the
    class of a picture file and raises ``SourceError`` if it cannot be read.
    """

    name: str
    scheme: str
    sha256: str
    source_sha256: str
    size_bytes: int
    runtime: str
    stated_top1: float | None
    load_ms: float
    labels: tuple[str, ...]
    stages: Stages
    best: Callable[[Path], int]


def import_runtime(bundle: Path) -> None:
    """Import the interpreter of a bundle, so that its memory and time count for no model.

    Raises:
        DeviceError: it is not installed.
    """
    if (bundle / "model.onnx").is_file():
        load_onnxruntime()
    else:
        load_runtime()


def open_bundle_model(bundle: Path, threads: int, baseline: bool) -> BenchmarkedModel:
    """Open a bundle, or the raw interpreter loop on its file.

    Raises:
        BundleError: it cannot be used.
        DeviceError: there is no interpreter for it, or one that is too old.
    """
    start_s = time.perf_counter()
    classifier = Classifier.open(bundle, threads)
    load_ms = (time.perf_counter() - start_s) * 1e3
    manifest = classifier.bundle.manifest
    runtime = find_runtime(manifest.model.format)

    def best(picture: Path) -> int:
        image: Image = read_image(picture, classifier.input)
        return int(classifier.logits(image).argmax())

    return BenchmarkedModel(
        name=f"{manifest.name} {manifest.version}",
        scheme=manifest.model.scheme,
        sha256=manifest.model.sha256,
        source_sha256=manifest.provenance.get("source_sha256", ""),
        size_bytes=manifest.model.size_bytes,
        runtime=f"{runtime.package} {runtime.version}",
        stated_top1=None if manifest.metrics is None else manifest.metrics.top1,
        load_ms=load_ms,
        labels=classifier.output.labels,
        stages=raw_invoke_stages(classifier, threads) if baseline else model_stages(classifier),
        best=best,
    )
