"""Features of a teacher: the inputs of its last layer, which a student learns to predict beside the answers.

Features hold more of a picture than a few probabilities: EfficientNet-Lite0 has 1,280. For the training the student
gets a second last layer, which predicts the teacher's features by a linear function of the student's features. It is
not saved. Source: Romero et al., "FitNets: hints for thin deep nets", ICLR 2015; Miles et al., "Understanding the role
of the projector in knowledge distillation", AAAI 2024, for features before the last layer and a linear projector.
"""

import keras

from trailcam_core.errors import TrainError

PROJECTION = "teacher_features"


def show_features(model: keras.Model) -> keras.Model:
    """Return the network of a teacher with outputs (N, K + D): its logits, then the inputs of its last layer.

    Raises:
        TrainError: its last layer is not a dense one.
    """
    return _beside(model, _last_inputs(model, "teacher"))


def predict_features(model: keras.Model, count: int) -> keras.Model:
    """Return the network of a student with outputs (N, K + count): its logits, then predictions of features.

    The layers are shared with ``model``; the new layer has float32 outputs.

    Raises:
        TrainError: its last layer is not a dense one.
    """
    projection = keras.layers.Dense(count, dtype="float32", name=PROJECTION)
    return _beside(model, projection(_last_inputs(model, "student")))


def _beside(model: keras.Model, features: keras.KerasTensor) -> keras.Model:
    both = keras.layers.Concatenate(dtype="float32", name="logits_and_features")([model.outputs[0], features])
    return keras.Model(model.inputs[0], both, name=model.name)


def _last_inputs(model: keras.Model, role: str) -> keras.KerasTensor:
    """Return the inputs of the last layer, (N, D)."""
    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense) or len(last.input.shape) != 2:
        raise TrainError(
            f"distillation.features: the last layer of the {role} {model.name!r} is {type(last).__name__} "
            f'{last.name!r}, expected a Dense layer. Train with "--set distillation.features=0".'
        )
    return last.input
