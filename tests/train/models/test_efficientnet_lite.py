import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.errors import TrainError
from trailcam_train.models.efficientnet_lite import LITE0, LITE1, LITE2, Variant, build_lite, load_lite_weights
from trailcam_train.models.frozen_inference import compile_inference
from trailcam_train.models.torch_checkpoint import read_torch_file
from trailcam_train.models.weights_wheel import WeightsWheel
from trailcam_train.recipe.toml import override
from trailcam_train.recipes.find import build_network, find_recipe

Arrays = dict[str, npt.NDArray[Any]]
MAGIC = 0x1950A86A20F9469CFC6C
WHEEL = WeightsWheel("tiny-pytorch-model", "1", "tiny.whl", "0" * 64, 1)
TINY = Variant("tiny", 32, ((1, 3, 1, 1, 8), (2, 3, 2, 2, 12)), WHEEL)


class Named:
    """Pickled as a global name, as PyTorch pickles its own."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:
        """Never called; pickle only writes functions that could be."""


class TorchPickler(pickle._Pickler):
    """Writes names and storages as PyTorch does, without PyTorch."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, Named):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
            return None
        return super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, tuple) and len(obj) == 3 and obj[0] == "a storage":
            return ("storage", Named("torch", obj[1]), obj[2], "cpu", 0, None)
        return None


class Rebuilt:
    def __init__(self, name: str, array: npt.NDArray[Any]) -> None:
        self.name, self.array = name, array
        self.kind = "FloatStorage" if array.dtype == np.float32 else "LongStorage"

    def __reduce__(self) -> Any:
        kind = self.kind
        strides = tuple(stride // self.array.itemsize for stride in self.array.strides)
        arguments = (("a storage", kind, self.name), 0, self.array.shape, strides, False, OrderedDict())
        return (Named("torch._utils", "_rebuild_tensor_v2"), arguments)


def torch_file(arrays: Arrays) -> bytes:
    """Return a checkpoint in the layout before PyTorch 1.6."""
    buffer = io.BytesIO()

    def write(thing: Any) -> None:
        TorchPickler(buffer, protocol=2).dump(thing)

    write(MAGIC)
    write(1001)
    write({"little_endian": True})
    write(OrderedDict((name, Rebuilt(name, array)) for name, array in arrays.items()))
    write(list(arrays))
    for array in arrays.values():
        buffer.write(struct.pack("<q", array.size) + array.tobytes())
    return buffer.getvalue()


def stored(arrays: Arrays) -> "OrderedDict[str, Rebuilt]":
    return OrderedDict((name, Rebuilt(name, array)) for name, array in arrays.items())


def zip_file(content: Any, arrays: Arrays) -> bytes:
    """Return a checkpoint in the layout since PyTorch 1.6."""
    pickled, buffer = io.BytesIO(), io.BytesIO()
    TorchPickler(pickled, protocol=2).dump(content)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled.getvalue())
        archive.writestr("archive/byteorder", "little")
        for name, array in arrays.items():
            archive.writestr(f"archive/data/{name}", array.tobytes())
    return buffer.getvalue()


def published(model: keras.Model, seed: int = 0) -> Arrays:
    """Return random arrays under the names and in the layout of the published checkpoints, for this network."""
    rng = np.random.default_rng(seed)
    names = {"expand": "_expand_conv", "project": "_project_conv", "stem": "_conv_stem", "top": "_conv_head"}
    norms = {"stem_bn": "_bn0", "expand_bn": "_bn0", "dw_bn": "_bn1", "project_bn": "_bn2", "top_bn": "_bn1"}
    arrays: Arrays = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        part, prefix = layer.name, ""
        if layer.name.startswith("block"):
            number, _, part = layer.name.removeprefix("block").partition("_")
            prefix = f"_blocks.{number}."
        if part in norms:
            for item, weight in zip(("weight", "bias", "running_mean", "running_var"), layer.weights, strict=True):
                arrays[f"{prefix}{norms[part]}.{item}"] = rng.random(weight.shape, np.float32) + 0.5
            arrays[f"{prefix}{norms[part]}.num_batches_tracked"] = np.array([3], np.int64)
            continue
        name = "_depthwise_conv" if part == "dw" else names[part.removesuffix("_conv")]
        shape = tuple(layer.weights[0].shape)
        order = (2, 3, 0, 1) if part == "dw" else (3, 2, 0, 1)
        arrays[f"{prefix}{name}.weight"] = rng.random([shape[axis] for axis in order], np.float32)
    return arrays


@pytest.mark.parametrize(("variant", "count"), [(LITE0, 3_413_024), (LITE1, 4_189_344), (LITE2, 4_869_168)])
def test_each_size_has_the_published_number_of_weights(variant: Variant, count: int) -> None:
    model = build_lite(variant, 32, 32)

    assert model.count_params() == count
    assert model.output_shape == (None, 1, 1, 1280)


@pytest.mark.parametrize("kind", ["pth", "whl", "pt"])
def test_published_weights_are_read_from_checkpoint_and_wheel(tmp_path: Path, kind: str) -> None:
    model = build_lite(TINY, 32, 32)
    arrays = published(model)
    path = tmp_path / f"weights.{kind}"
    if kind == "pth":
        path.write_bytes(torch_file(arrays))
    elif kind == "pt":
        path.write_bytes(zip_file({"epoch": 3, "state_dict": stored(arrays)}, arrays))
    else:
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("package/models/tiny.pth", torch_file(arrays))

    load_lite_weights(model, str(path), TINY)

    kernel = arrays["_blocks.1._expand_conv.weight"]
    np.testing.assert_array_equal(model.get_layer("block1_expand_conv").get_weights()[0][0, 0], kernel[:, :, 0, 0].T)
    depthwise = arrays["_blocks.2._depthwise_conv.weight"]
    np.testing.assert_array_equal(
        model.get_layer("block2_dw").get_weights()[0][..., 0], depthwise[:, 0].transpose(1, 2, 0)
    )
    variance = arrays["_bn1.running_var"]
    np.testing.assert_array_equal(model.get_layer("top_bn").get_weights()[3], variance)


def test_the_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(torch_file(published(build_lite(TINY, 32, 32))))

    with pytest.raises(TrainError, match=r"block.*expected.*efficientnet_lite2"):
        load_lite_weights(build_lite(LITE2, 32, 32), str(path), LITE2)


def test_imagenet_weights_are_those_of_the_published_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_lite(TINY, 32, 32)
    arrays = published(model)
    path = tmp_path / "tiny.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.pth", torch_file(arrays))
    monkeypatch.setattr(WeightsWheel, "fetch", lambda self: path if self is WHEEL else None)

    load_lite_weights(model, "imagenet", TINY)

    np.testing.assert_array_equal(model.get_layer("top_bn").get_weights()[0], arrays["_bn1.weight"])


def test_a_checkpoint_that_calls_a_function_is_refused_before_the_call(tmp_path: Path) -> None:
    witness = tmp_path / "called"

    class Attack:
        def __reduce__(self) -> Any:
            return (Path.touch, (witness,))

    for content in (
        pickle.dumps(Attack()),
        pickle.dumps(MAGIC, 2) + pickle.dumps(Attack()),
        zip_file({"state_dict": Attack()}, {}),
    ):
        with pytest.raises(TrainError, match="expected only tensors"):
            read_torch_file(content, "x.pth")
    assert not witness.exists()


def test_the_names_of_timm_are_those_of_the_same_layers(tmp_path: Path) -> None:
    model = build_lite(TINY, 32, 32)
    arrays = published(model)
    inner = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    inner |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    around = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    places = ["0.0", "1.0", "1.1"]  # stage and repeat of each block

    def rename(name: str) -> str:
        if not name.startswith("_blocks."):
            part, _, rest = name.partition(".")
            return f"{around[part]}.{rest}"
        _, number, part, rest = name.split(".")
        return f"blocks.{places[int(number)]}.{(inner if int(number) else first)[part]}.{rest}"

    path = tmp_path / "timm.pth"
    path.write_bytes(torch_file({rename(name): array for name, array in arrays.items()}))
    load_lite_weights(model, str(path), TINY)

    kernel = arrays["_blocks.0._project_conv.weight"]
    np.testing.assert_array_equal(model.get_layer("block0_project_conv").get_weights()[0][0, 0], kernel[:, :, 0, 0].T)
    np.testing.assert_array_equal(model.get_layer("block2_dw_bn").get_weights()[0], arrays["_blocks.2._bn1.weight"])
    np.testing.assert_array_equal(model.get_layer("stem_bn").get_weights()[2], arrays["_bn0.running_mean"])


def test_safetensors_are_read_and_a_damaged_file_is_refused(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="needs safetensors, of the extra train")
    model = build_lite(TINY, 32, 32)
    arrays = published(model)
    path = tmp_path / "weights.safetensors"
    safetensors.save_file(arrays, path)

    load_lite_weights(model, str(path), TINY)

    np.testing.assert_array_equal(model.get_layer("top_bn").get_weights()[3], arrays["_bn1.running_var"])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainError, match="cannot be read as float safetensors"):
        load_lite_weights(model, str(path), TINY)


@pytest.mark.parametrize("kind", ["HalfStorage", "BFloat16Storage", "DoubleStorage"])
def test_other_precisions_become_float32(kind: str) -> None:
    values = np.array([1.5, -2.0, 0.0], np.float32)
    raw = {
        "HalfStorage": values.astype("<f2"),
        "BFloat16Storage": (values.view(np.uint32) >> 16).astype("<u2"),
        "DoubleStorage": values.astype("<f8"),
    }[kind]
    entry = Rebuilt("a", raw)
    entry.kind = kind

    found = read_torch_file(zip_file({"a": entry, "epoch": 3}, {"a": raw}), "x.pt")["a"]

    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("kept", [0, 10, 60, 0.5, 0.99])
def test_a_checkpoint_cut_short_is_refused(kept: float) -> None:
    whole = torch_file({"a.weight": np.arange(100, dtype=np.float32)})
    np.testing.assert_array_equal(read_torch_file(whole, "x.pth")["a.weight"], np.arange(100))

    with pytest.raises(TrainError, match=r"x\.pth: cannot be read"):
        read_torch_file(whole[: int(kept * len(whole)) if kept < 1 else int(kept)], "x.pth")


def test_a_wheel_without_weights_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as wheel:
        wheel.writestr("readme", "")
    for name, message in (("empty.whl", r"holds 0 \.pth files"), ("none.pth", "cannot be read as published weights")):
        with pytest.raises(TrainError, match=message):
            load_lite_weights(build_lite(TINY, 32, 32), str(tmp_path / name), TINY)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_the_recipes_build(name: str) -> None:
    small = ["input.height=32", "input.width=32", "weights=none", "batch_norm=train"]
    model = build_network(override(find_recipe(name), small), 3, "float32")

    assert model.output_shape == (None, 3)
    assert model.input.dtype == "uint8"


def test_a_frozen_network_answers_as_keras_does() -> None:
    small = ["input.height=32", "input.width=32", "weights=none", "batch_norm=train"]
    model = build_network(override(find_recipe("efficientnet_lite0"), small), 3, "float32")
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    forward = compile_inference(model)
    expected = keras.ops.convert_to_numpy(model(images, training=False))

    np.testing.assert_allclose(forward(images), expected, atol=1e-4)  # the same float32 operations in another order
    model.get_layer("logits").set_weights([np.zeros((1280, 3)), np.ones(3)])
    np.testing.assert_allclose(forward(images), expected, atol=1e-4)  # what is frozen stays
