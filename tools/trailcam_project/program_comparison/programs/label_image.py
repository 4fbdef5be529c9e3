"""What one writes after reading the first tutorial: Pillow, the interpreter, the best label of each picture.

python label_image.py MODEL.tflite LABELS.json FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image


def main(model: str, labels: str, folder: str) -> None:
    """Print the name and the best label of each picture."""
    names = json.loads(Path(labels).read_text(encoding="utf-8"))
    interpreter = Interpreter(model_path=model)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    _, height, width, _ = taken["shape"]
    for path in sorted(Path(folder).iterdir()):
        image = Image.open(path).convert("RGB").resize((width, height))
        interpreter.set_tensor(taken["index"], np.asarray(image, np.uint8)[None])
        interpreter.invoke()
        print(path.name, names[int(interpreter.get_tensor(given["index"])[0].argmax())], sep="\t", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
