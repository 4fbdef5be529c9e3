"""The trained Keras model itself: load a picture, ``model.predict``, the best label.

python keras_predict.py RUN FOLDER
"""

import json
import sys
from pathlib import Path

import keras


def main(run: str, folder: str) -> None:
    """Print the name and the best label of each picture."""
    names = json.loads((Path(run) / "labels.json").read_text(encoding="utf-8"))
    model = keras.models.load_model(Path(run) / "model.keras", compile=False)
    size = model.input_shape[1:3]
    for path in sorted(Path(folder).iterdir()):
        picture = keras.utils.img_to_array(keras.utils.load_img(path, target_size=size))
        scores = model.predict(picture[None], verbose=0)[0]
        print(path.name, names[int(scores.argmax())], sep="\t", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
