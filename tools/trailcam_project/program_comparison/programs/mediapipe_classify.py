"""MediaPipe Tasks' ImageClassifier as its guide has it; labels and pixel range come from the metadata in the model.

python mediapipe_classify.py MODEL.tflite FOLDER
"""

import sys
from pathlib import Path

import mediapipe
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision


def main(model: str, folder: str) -> None:
    """Print the name and the best label of each picture."""
    base = tasks.BaseOptions(model_asset_path=model)
    with vision.ImageClassifier.create_from_options(
        vision.ImageClassifierOptions(base_options=base, max_results=1)
    ) as classifier:
        for path in sorted(Path(folder).iterdir()):
            found = classifier.classify(mediapipe.Image.create_from_file(str(path)))
            print(path.name, found.classifications[0].categories[0].category_name, sep="\t", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
