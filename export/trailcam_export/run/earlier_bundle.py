"""The bundle of the earlier run: its frozen part is kept, so that an update sends little.

A run of ``trailcam train --from`` that trained the last layer alone states that the frozen part is unchanged, and names
the earlier network by digest. The int8 bundle of that network has the same digest as its source. Only such a pair is
joined.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.datasets.run_directory import Run
from trailcam_core.errors import BundleError, ExportError
from trailcam_core.images.resize import Image
from trailcam_core.inference.runtimes import load_runtime
from trailcam_export.convert.last_layer import DenseLayer, give_features, replace_last_layer
from trailcam_export.convert.variants import Variant
from trailcam_export.run.golden_vectors import GoldenPictures

_SCHEME = "int8"


@dataclass(frozen=True)
class EarlierBundle:
    """An int8 bundle whose frozen part is kept: its files, and the digest of its model."""

    name: str
    model: bytes
    model_sha256: str
    golden: GoldenPictures


def anew_notes(run: Run, variants: Iterable[Variant]) -> tuple[str, ...]:
    """Return a note on integer files that keep no frozen part, for a run whose frozen part is unchanged.

    Float files need none: their frozen part has the same weights.
    """
    if run.provenance.get("frozen_part") != "unchanged":
        return ()
    names = [item.name for item in variants if item.needs_calibration and item != Variant("tflite", _SCHEME)]
    if not names:
        return ()
    verb = "was" if len(names) == 1 else "were"
    return (
        f"{', '.join(names)} {verb} calibrated anew: int8 alone keeps the frozen part of the earlier bundle, so an "
        f"update of {names[0]} is nearly a full send.",
    )


def find_earlier_bundle(run: Run, named: Path | None, out: Path) -> tuple[EarlierBundle | None, tuple[str, ...]]:
    """Return the bundle to keep the frozen part of, and notes; None where int8 is to be calibrated anew.

    Args:
        run: to export.
        named: the bundle that the user names, if any.
        out: the folder of exports, which may have that of the earlier run.

    Raises:
        ExportError: the named bundle is not one of the earlier run, or the run did not keep its layers.
        BundleError: the named bundle cannot be read.
    """
    source = run.provenance.get("earlier_sha256")
    if source is None or run.provenance.get("frozen_part") != "unchanged":
        if named is not None:
            what = "trained more than the last layer" if source else "took no earlier run up"
            raise ExportError(f"--earlier {named}: {run.path} {what}, so nothing can be kept. Leave out --earlier.")
        return None, ()
    name = Path(run.provenance.get("earlier", "")).name
    path = named or out / name / f"{_SCHEME}.bundle"
    if named is None and not path.is_dir():
        return None, (
            f"int8 was calibrated anew, because {path}, the bundle of the earlier run, is not there: an update from it "
            'will be nearly a full send. Name it with "--earlier BUNDLE".',
        )
    try:
        bundle = open_bundle(path)
    except BundleError:
        if named is not None:
            raise
        return None, (f"int8 was calibrated anew, because {path} cannot be read",)
    manifest = bundle.manifest
    if manifest.provenance.get("source_sha256") != source or (manifest.model.format, manifest.model.scheme) != (
        "tflite",
        _SCHEME,
    ):
        if named is None:
            return None, (f"int8 was calibrated anew, because {path} is not of the earlier run {name}",)
        raise ExportError(
            f"--earlier {named}: not the int8 bundle of the earlier run {name}, from which {run.path} comes. Name that."
        )
    golden = bundle.read_golden()
    found = EarlierBundle(
        f"{manifest.name} {manifest.version}",
        bundle.model_path.read_bytes(),
        manifest.model.sha256,
        GoldenPictures(golden.images, golden.source),
    )
    return found, (f"int8 keeps the frozen part of {found.name} byte for byte: only its last layer is new",)


def convert_with_kept_part(model: keras.Model, earlier: EarlierBundle, calibration: Iterable[Image]) -> bytes:
    """Return the earlier int8 file with the last layer of ``model``.

    Args:
        model: (N, H, W, 3) uint8 RGB to (N, K) logits; its last layer is dense.
        earlier: the bundle.
        calibration: (H, W, 3) uint8 RGB pictures, which set the range of the logits.

    Raises:
        ExportError: the two are not of one network, or there is no picture.
    """
    weights = model.layers[-1].get_weights()
    if len(weights) != 2:
        raise ExportError("The network does not end in a dense layer with a bias, so no frozen part can be kept.")
    layer = DenseLayer(*weights)
    lowest, highest = _range_of_logits(earlier, layer, calibration)
    return replace_last_layer(earlier.model, layer, lowest, highest)


def _range_of_logits(earlier: EarlierBundle, layer: DenseLayer, calibration: Iterable[Image]) -> tuple[float, float]:
    """Return the least and the largest logit, of features as the kept part computes them."""
    content, scale, zero = give_features(earlier.model)
    interpreter = load_runtime().Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    ends: list[float] = []
    for image in calibration:
        interpreter.set_tensor(taken, image[None])
        interpreter.invoke()
        features = (interpreter.get_tensor(given)[0].astype(np.float32) - zero) * np.float32(scale)
        logits = features.reshape(-1) @ layer.kernel + layer.bias
        ends += [float(logits.min()), float(logits.max())]
    if not ends:
        raise ExportError("No calibration picture: int8 needs some to find the range of the logits.")
    return min(ends), max(ends)
