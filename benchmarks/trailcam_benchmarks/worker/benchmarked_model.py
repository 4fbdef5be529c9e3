"""What is measured: a bundle on the interpreter that is installed, its floor, or a Keras model as people run one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trailcam_benchmarks.worker.stages import Stages, floor_stages, model_stages
from trailcam_core.classifier import Classifier
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image
from trailcam_core.inference.runtimes import find_runtime, load_onnxruntime, load_runtime

__all__ = ["Subject", "import_runtime", "open_bundle_subject"]


@dataclass(frozen=True)
class Subject:
    """An open model: who it is, its stages, and its answer to a picture file.

    ``runtime`` is the interpreter with its version, ``stated_top1`` the accuracy that its papers claim.
    ``source_sha256`` is the digest of the trained Keras model that it was made from, or is; empty where its papers do
    not say. ``best`` gives the class of a picture file and raises ``SourceError`` where that cannot be read.
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
    """Import the interpreter that a bundle needs: what that takes belongs to no model.

    Raises:
        DeviceError: it is not installed.
    """
    if (bundle / "model.onnx").is_file():
        load_onnxruntime()
    else:
        load_runtime()


def open_bundle_subject(bundle: Path, threads: int, floor: bool) -> Subject:
    """Open a bundle, or the bare interpreter loop on its file.

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

    return Subject(
        name=f"{manifest.name} {manifest.version}",
        scheme=manifest.model.scheme,
        sha256=manifest.model.sha256,
        source_sha256=manifest.provenance.get("source_sha256", ""),
        size_bytes=manifest.model.size_bytes,
        runtime=f"{runtime.package} {runtime.version}",
        stated_top1=None if manifest.metrics is None else manifest.metrics.top1,
        load_ms=load_ms,
        labels=classifier.output.labels,
        stages=floor_stages(classifier, threads) if floor else model_stages(classifier),
        best=best,
    )
