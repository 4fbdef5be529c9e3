"""Does MediaPipe Tasks' ImageClassifier name the labels that we name? Run in an environment of its own.

    make system TEST=mediapipe ARGS="exports/NAME/int8.bundle DIR"

The bundle's ``model.tflite`` is opened alone: label names and pixel range come from the metadata inside. It is shown
the golden pictures, and those of a folder, as the model takes them, so that no other resize rule is in between.
"""

import sys
from pathlib import Path

import mediapipe
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import SourceError
from trailcam_core.images.decode import IMAGE_SUFFIXES, read_image
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.open_model import open_model

_MOST_PICTURES = 200
_LEAST_SAME = 0.98  # MediaPipe brings its own XNNPACK: a picture between two labels may fall the other way


def main(bundle_path: str, folder: str | None) -> int:
    """Compare; return 1 if the labels differ."""
    bundle = open_bundle(Path(bundle_path))
    manifest = bundle.manifest
    images = list(bundle.read_golden().images)
    if folder is not None:
        paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        for path in paths[:: max(1, len(paths) // _MOST_PICTURES)]:
            try:
                images.append(fit_image(read_image(path, manifest.input), manifest.input))
            except SourceError:
                continue
    model = open_model(bundle.model_path)
    options = vision.ImageClassifierOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(bundle.model_path)), max_results=1
    )
    same, worst = 0, 0.0
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for image in images:
            logits = model.invoke(image[None])
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
            best = classifier.classify(picture).classifications[0].categories[0]
            same += best.category_name == manifest.output.labels[int(logits.argmax())]
            worst = max(worst, abs(best.score - float(logits.max())))
    print(
        f"MediaPipe {mediapipe.__version__} names the same label on {same} of {len(images)} pictures; its best score "
        f"differs by at most {worst:.4f}"
    )
    return 0 if same >= _LEAST_SAME * len(images) else 1


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: mediapipe_labels.py BUNDLE [PICTURES]")
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None))
