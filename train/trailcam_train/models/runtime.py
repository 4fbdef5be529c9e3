"""Backend-dependent properties of networks: loading, precision, compilation and random state."""

from pathlib import Path

import keras

from trailcam_train.recipe.schema import AUTO, Recipe


def training_precision(recipe: Recipe) -> str:
    """Return the precision to train in: ``float32`` or ``mixed_bfloat16``.

    bfloat16 has the range of float32, so no loss needs scaling. A CPU that does not multiply it is slower with it. With
    AVX-512 bfloat16 a step of the recipe cnn took 0.53 of the time (TensorFlow); its accuracy was not compared, so a
    user must ask for it.
    """
    if recipe.precision != AUTO:
        return recipe.precision
    return "mixed_bfloat16" if has_gpu() else "float32"


def load_network(path: Path) -> keras.Model:
    """Load a saved network, ready to predict.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no Keras model.
    """
    model = keras.models.load_model(path, compile=False)
    model.compile(jit_compile=jit_setting())
    return model


def jit_setting() -> str | bool:
    """Return Keras' ``jit_compile`` for this machine: its own choice, but never XLA for TensorFlow on a CPU.

    Keras chooses XLA there, which made a training step of EfficientNet-Lite0 at 160 px six times slower (2 cores).
    """
    return False if keras.backend.backend() == "tensorflow" and not has_gpu() else "auto"


def seed_epoch(seed: int, epoch: int) -> None:
    """Derive the random state of an epoch from its number, on the backend whose network does not hold that state.

    Keras' dropout keeps its random state in a variable of the network, which checkpoints hold. On torch an unseeded
    dropout draws from torch's own generator instead. Source: ``dropout`` in Keras' torch backend, "unseeded" path.
    """
    if keras.backend.backend() == "torch":
        keras.utils.set_random_seed((seed * 100_003 + epoch) % 2**32)


def has_gpu() -> bool:
    """Return whether Keras computes on a GPU.

    The arrays of every backend report their device, so no backend is imported by name.
    """
    device = str(getattr(keras.ops.convert_to_tensor(1.0), "device", "")).lower()
    return "gpu" in device or "cuda" in device
