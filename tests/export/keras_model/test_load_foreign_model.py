"""Keras models that were trained elsewhere become raw pixels in, logits out, or are refused with what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.errors import ExportError
from trailcam_export.convert.onnx_check import check_onnx
from trailcam_export.convert.to_onnx import convert_onnx_float32
from trailcam_export.convert.to_tflite import with_float_input
from trailcam_export.keras_model.load_foreign_model import open_foreign_model
from trailcam_export.tflite.inspect import kernel_size

LABELS = ("blue", "green", "red")
Layers = list[Any]


@pytest.fixture
def save(tiny: Any, tmp_path: Path) -> Callable[[keras.Model], Path]:
    def write(model: keras.Model) -> Path:
        path = tmp_path / "theirs.keras"
        tiny.save(model, path)
        return path

    return write


@pytest.fixture(scope="module")
def pictures() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def _network(*first: Any, last: Layers | None = None, dtype: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((32, 32, 3), dtype=dtype)
    x = inputs
    for layer in first:
        x = layer(x)
    x = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(3, name="scores")(x) if last is None else x
    for layer in last or []:
        x = layer(x)
    return keras.Model(inputs, x)


def _opened(path: Path, *rest: Any) -> keras.Model:
    return open_foreign_model(path, LABELS, *rest)[0]


def _rescaling() -> Any:
    return keras.layers.Rescaling(1 / 127.5, offset=-1)


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), np.float32)


def test_a_rescaling_layer_says_that_the_input_is_raw_levels(save: Any, pictures: Any) -> None:
    model = _network(_rescaling())
    opened = _opened(save(model))
    assert opened.inputs[0].dtype == "uint8"
    assert np.allclose(opened(pictures), model(pictures.astype(np.float32)), atol=1e-4)


def test_a_rescaling_layer_for_zero_to_one_is_told_from_it(save: Any, pictures: Any) -> None:
    model = _network(keras.layers.Rescaling(2.0, offset=-1))
    assert np.allclose(_opened(save(model))(pictures), model(pictures / np.float32(255)), atol=1e-4)


@pytest.mark.parametrize("low_high", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_a_stated_range_is_put_inside(save: Any, pictures: Any, low_high: tuple[float, float]) -> None:
    model = _network()
    low, high = low_high
    expected = model((pictures * ((high - low) / 255) + low).astype(np.float32))
    assert np.allclose(_opened(save(model), low_high)(pictures), expected, atol=1e-3)


def test_a_range_that_nobody_stated_is_not_guessed(save: Any) -> None:
    with pytest.raises(ExportError, match=r"does not state its range.*--input-range 0 255"):
        open_foreign_model(save(_network()), LABELS)


def test_a_stated_range_that_would_scale_whole_numbers_twice_is_refused(save: Any) -> None:
    with pytest.raises(ExportError, match="scaling twice"):
        open_foreign_model(save(_network(_rescaling(), dtype="uint8")), LABELS, (0.0, 1.0))


def test_a_stated_range_wins_over_what_a_layer_seems_to_say_and_is_noted(save: Any, pictures: Any) -> None:
    model = _network(_rescaling())
    opened, notes = open_foreign_model(save(model), LABELS, (0.0, 1.0))
    assert np.allclose(opened(pictures), model(pictures / np.float32(255)), atol=1e-4)
    assert "was used, although the first layer" in notes[0]
    assert "0 to 255" in notes[0]
    assert open_foreign_model(save(model), LABELS, (0.0, 255.0))[1] == ()


@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        ([1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]),
        (1.0, -127.5),
        (1.0, [-103.939, -116.779, -123.68]),
    ],
    ids=["mean and deviation", "centred levels", "mean of each channel"],
)
def test_every_usual_scaling_of_levels_is_known(save: Any, pictures: Any, scale: Any, offset: Any) -> None:
    model = _network(keras.layers.Rescaling(scale, offset=offset))
    assert np.allclose(_opened(save(model))(pictures), model(pictures.astype(np.float32)), rtol=1e-4, atol=1e-3)


def test_mean_and_deviation_of_shares_are_told_from_those_of_levels(save: Any, pictures: Any) -> None:
    scale = [1 / 0.229, 1 / 0.224, 1 / 0.225]
    model = _network(keras.layers.Rescaling(scale, offset=[-0.45 * factor for factor in scale]))
    assert np.allclose(_opened(save(model))(pictures), model(pictures / np.float32(255)), atol=1e-3)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (127.5, 127.5), (0.5, 0.5)])
def test_a_rescaling_layer_that_could_mean_several_ranges_is_asked_about(
    save: Any, pictures: Any, scale: float, offset: float
) -> None:
    model = _network(keras.layers.Rescaling(scale, offset=offset, name="theirs"))
    with pytest.raises(ExportError, match=r"'theirs', scales by .* fits no usual range.*--input-range 0 255"):
        open_foreign_model(save(model), LABELS)
    expected = model((pictures / np.float32(127.5) - 1).astype(np.float32))
    assert np.allclose(_opened(save(model), (-1.0, 1.0))(pictures), expected, rtol=1e-4, atol=1e-3)


def test_a_rescaling_layer_that_does_not_read_the_input_itself_says_nothing(save: Any) -> None:
    inner = _network(_rescaling())
    inputs = keras.Input((32, 32, 3))
    with pytest.raises(ExportError, match="does not state its range"):
        open_foreign_model(save(keras.Model(inputs, inner(inputs * 255))), LABELS)


def test_a_rescaling_layer_inside_a_nested_model_behind_augmentation_says_the_range(save: Any, pictures: Any) -> None:
    inner = _network(keras.Sequential([keras.layers.RandomFlip()]), _rescaling())
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, inner(keras.layers.GaussianNoise(0.1)(inputs)))
    assert np.allclose(_opened(save(model))(pictures), model(pictures.astype(np.float32)), atol=1e-4)


@pytest.mark.parametrize(
    "last",
    [
        lambda: [keras.layers.Dense(3, activation="softmax")],
        lambda: [keras.layers.Dense(3), keras.layers.Softmax()],
        lambda: [keras.layers.Dense(3), keras.layers.Activation("softmax")],
        lambda: [keras.layers.Dense(3), keras.ops.softmax],
        lambda: [keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(3, activation="softmax")])],
    ],
    ids=["activation", "layer", "activation layer", "operation", "nested"],
)
def test_a_softmax_at_the_end_is_taken_off_once(save: Any, pictures: Any, last: Callable[[], Layers]) -> None:
    model = _network(_rescaling(), last=last())
    logits = np.asarray(_opened(save(model))(pictures))
    assert np.abs(logits.sum(axis=1) - 1).max() > 1e-3
    assert np.allclose(_softmax(logits), model(pictures.astype(np.float32)), atol=1e-4)


def test_logits_stay_logits(save: Any, pictures: Any) -> None:
    model = _network(_rescaling())
    assert np.allclose(_opened(save(model))(pictures), model(pictures.astype(np.float32)), atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_mixed_precision_model_is_rebuilt_in_float32(save: Any, pictures: Any, policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = _network(_rescaling())
    finally:
        keras.config.set_dtype_policy("float32")
    opened = _opened(save(model))
    assert opened.outputs[0].dtype == "float32"
    assert {layer.compute_dtype for layer in opened.layers} <= {"float32", "uint8"}
    expected = np.asarray(keras.ops.cast(model(pictures.astype(np.float32)), "float32"))
    assert np.allclose(opened(pictures), expected, atol=0.05)


def test_augmentation_and_noise_inside_the_graph_are_taken_out(save: Any, pictures: Any) -> None:
    augment = keras.Sequential([keras.layers.RandomFlip(), keras.layers.RandomRotation(0.1)])
    model = _network(augment, _rescaling(), keras.layers.GaussianNoise(0.3))
    opened = _opened(save(model))
    expected = np.asarray(model(pictures.astype(np.float32), training=False))
    for training in (False, True):
        assert np.allclose(opened(pictures, training=training), expected, atol=1e-4)


def test_a_random_crop_is_refused_because_it_does_something_while_predicting(save: Any) -> None:
    inputs = keras.Input((40, 40, 3))
    x = keras.layers.RandomCrop(32, 32)(_rescaling()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    with pytest.raises(ExportError, match="crops at random"):
        _opened(save(model))


def test_a_sequential_model_with_batch_normalisation_keeps_its_statistics(save: Any, pictures: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            _rescaling(),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    mean = model.layers[2].moving_mean
    mean.assign(np.full(mean.shape, 0.3, np.float32))
    opened = _opened(save(model))
    assert np.allclose(opened(pictures), model(pictures.astype(np.float32)), atol=1e-4)
    copy = with_float_input(opened)
    assert np.allclose(copy(pictures[:1].astype(np.float32)), opened(pictures[:1]), atol=1e-4)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: _network(_rescaling(), last=[keras.layers.Dense(5)]),
            r"gives \(None, 5\), but --labels lists 3 names",
        ),
        (lambda: _network(_rescaling(), last=[keras.layers.Dense(3, activation="sigmoid")]), "ends with a sigmoid"),
        (
            lambda: keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()]),
            "with fixed sizes",
        ),
        (lambda: keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]), "32, 1"),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]),
            "32 to 1024",
        ),
    ],
)
def test_what_is_no_classifier_of_these_labels_is_refused(
    save: Any, model: Callable[[], keras.Model], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        open_foreign_model(save(model()), LABELS)


def test_a_file_that_is_no_keras_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"no model")
    with pytest.raises(ExportError, match="cannot be loaded as a Keras model"):
        open_foreign_model(path, LABELS)


@pytest.mark.parametrize("settings", [{}, {"mean": [0.4, 0.5, 0.6], "variance": [0.04, 0.05, 0.06]}])
def test_a_normalisation_keeps_its_mean_and_variance(save: Any, pictures: Any, settings: dict[str, Any]) -> None:
    layer = keras.layers.Normalization(**settings)
    if not settings:
        layer.adapt(pictures.astype(np.float32) / np.float32(255))
    model = _network(keras.layers.Rescaling(1 / 255), layer)
    opened = _opened(save(model))
    assert np.allclose(opened(pictures), model(pictures.astype(np.float32)), atol=1e-4)
    assert np.allclose(with_float_input(opened)(pictures[:1].astype(np.float32)), opened(pictures[:1]), atol=1e-4)
    check_onnx(convert_onnx_float32(opened), "float32", (32, 32, 3), 3, kernel_size(opened))


@pytest.mark.parametrize("softmax", [keras.layers.Softmax, lambda: keras.layers.Activation("softmax", dtype="float32")])
def test_a_softmax_layer_at_the_end_of_a_nested_functional_model_is_taken_off(
    save: Any, pictures: Any, softmax: Callable[[], Any]
) -> None:
    core = _network(keras.layers.Identity(), last=[keras.layers.Dense(3), softmax()])
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, core(_rescaling()(inputs)))
    logits = np.asarray(_opened(save(model))(pictures))
    assert np.abs(logits.sum(axis=1) - 1).max() > 1e-3
    assert np.allclose(_softmax(logits), model(pictures.astype(np.float32)), atol=1e-4)


def test_a_sequential_model_that_was_built_by_its_first_batch_is_taken(save: Any, pictures: Any) -> None:
    model = keras.Sequential([_rescaling(), keras.layers.Flatten(), keras.layers.Dense(3)])
    model(np.zeros((7, 32, 32, 3), np.float32))
    assert model.outputs[0].shape == (7, 3)
    expected = np.concatenate([model(pictures.astype(np.float32))])
    assert np.allclose(_opened(save(model))(pictures), expected, atol=1e-4)


def test_one_yes_or_no_output_for_two_labels_is_named(save: Any) -> None:
    model = _network(_rescaling(), last=[keras.layers.Dense(1, activation="sigmoid")])
    with pytest.raises(ExportError, match="one yes/no output, expected one output for each of the 2 labels"):
        open_foreign_model(save(model), ("cat", "dog"))


def _preprocessed(steps: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3)(steps(inputs)))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (lambda x: x / 127.5 - 1.0, (0, 255)),
        (lambda x: (x - 127.5) / 127.5, (0, 255)),
        (lambda x: x / 255.0, (0, 255)),
        (lambda x: x * (1 / 255), (0, 255)),
        (lambda x: (x - 0.5) * 2.0, (0, 1)),
        (lambda x: x[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32), (0, 255)),
        (keras.applications.mobilenet_v2.preprocess_input, (0, 255)),
    ],
)
def test_the_operations_of_a_preprocess_input_state_the_range(save: Any, steps: Any, expected: tuple[int, int]) -> None:
    path = save(_preprocessed(steps))
    model, notes = open_foreign_model(path, LABELS)
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    theirs = keras.models.load_model(path, compile=False)(np.full((1, 32, 32, 3), float(expected[1]), np.float32))
    assert np.allclose(model(white), theirs, atol=1e-4)
    assert notes == ()
    other = (-1.0, 1.0)
    assert "was used, although the first layer" in open_foreign_model(path, LABELS, other)[1][0]


@pytest.mark.parametrize("steps", [lambda x: x * 255.0, lambda x: x * x, lambda x: x + 0.0])
def test_operations_that_fit_no_usual_range_are_asked_about(save: Any, steps: Any) -> None:
    with pytest.raises(ExportError, match="does not state its range"):
        open_foreign_model(save(_preprocessed(steps)), LABELS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras while it saves
def test_layer_classes_that_keras_does_not_have_are_named(tmp_path: Path) -> None:
    parts = {"call": lambda self, x: x, "__module__": "their_package.layers"}
    path = tmp_path / "theirs.keras"
    _network(type("Sharpen", (keras.layers.Layer,), parts)(name="sharpen")).save(path)

    with pytest.raises(ExportError, match="holds the layer classes Sharpen, which Keras does not have"):
        open_foreign_model(path, LABELS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras while it saves
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_layer_is_named_with_a_cure(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"theirs{suffix}"
    _network(keras.layers.Lambda(lambda x: x / 127.5 - 1, name="to_range")).save(path)
    with pytest.raises(ExportError, match=r"layer 'to_range' is a Lambda.*Rescaling\(1 / 127.5, offset=-1\)") as said:
        open_foreign_model(path, LABELS)
    assert str(said.value).endswith(".")
