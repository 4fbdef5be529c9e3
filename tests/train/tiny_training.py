"""Train the tiny network with the backend that KERAS_BACKEND names, and say what came of it: run by test_backends.py.

Its words are a folder to work in, the number of devices, and the number of batches after which another training is
killed and gone on with; without the last, nothing is killed.
"""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trailcam_train.evaluation.explain import grad_cam
from trailcam_train.fitting.data_parallel import data_parallel, on_one_device
from trailcam_train.fitting.loop import predict_logits, train_model
from trailcam_train.recipe.schema import Phase

LOADED_TENSORFLOW = "tensorflow" in sys.modules  # by our modules; Keras loads it later to seed it, if it is there


def load_conftest() -> Any:
    """Return the module beside this one that pytest loads by itself."""
    spec = importlib.util.spec_from_file_location("shared_parts", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(folder: Path, devices: str, stop_at: int | None = None) -> None:
    """Train once without a stop and, if asked, once with one; print figures as JSON."""
    parts = load_conftest()
    phases = (
        Phase("head", 1, 0.01, first_layer="hidden", views=1),
        Phase("whole", 1, 0.01, schedule="cosine", warmup_epochs=0.5, weight_interpolation=0.7),
    )
    recipe = replace(parts.RECIPE, phases=phases, devices=devices)

    def train(name: str, stop: int | None = None) -> dict[str, Any]:
        def progress(stage: str, done: int, total: int, note: str = "") -> None:
            if stage == "training" and done == stop:
                raise KeyboardInterrupt

        (folder / name).mkdir(exist_ok=True)
        model, task = parts.tiny_network(), parts.tiny_task(recipe)
        state = train_model(model, task, folder / name, progress)
        logits, _ = predict_logits(model, task.validation)
        return {
            "losses": [row.loss for row in state.history],
            "validation": [row.validation_loss for row in (*state.history, *state.blends)],
            "logits": logits.tolist(),
        }

    with data_parallel(recipe) as count:
        shards = watch_shards() if keras.backend.backend() == "jax" else []
        found = {"devices": count, "whole": train("whole"), "shards": shards[:3]}
        if stop_at is not None:
            try:
                train("killed", stop_at)
            except KeyboardInterrupt:
                found["resumed"] = train("killed")
        with on_one_device():
            pictures = np.zeros((3, 8, 8, 3), np.uint8)  # a number that two devices cannot share
            found["maps"] = grad_cam(parts.tiny_network(), pictures, np.arange(3)).shape
    found["tensorflow"] = LOADED_TENSORFLOW
    print(json.dumps(found))


def watch_shards() -> list[Any]:
    """Return a list that fills with the shapes, by device, in which each array of a training batch is placed."""
    from keras.src.backend.jax import trainer

    real, seen = trainer._distribute_data, []

    def spy(data: Any, layouts: Any = None) -> Any:
        placed = real(data, layouts)
        given = (array for array in placed if array is not None)
        seen.extend([[str(s.device), list(s.data.shape)] for s in array.addressable_shards] for array in given)
        return placed

    trainer._distribute_data = spy
    return seen


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
