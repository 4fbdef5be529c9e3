"""A tiny finished run: three colours as labels, synthetic pictures of 48x40 px, a Keras model of 32 px."""

import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.datasets.run_directory import SplitRow, split_to_bytes
from trailcam_core.spec import InputSpec
from trailcam_export.convert.variants import ALL_VARIANTS
from trailcam_export.inference.batches import fit_file
from trailcam_export.run.export import ExportReport, export_run
from trailcam_export.run.plan import ExportRequest

LABELS = ("blue", "green", "red")
SPEC = InputSpec(32, 32, "crop")
_COUNTS = {"train": 8, "validation": 8, "test": 10}  # of each label


@dataclass(frozen=True)
class TinyRun:
    """A run folder, the folder of its pictures, and the model in it."""

    path: Path
    data: Path
    model: keras.Model

    def build(self) -> keras.Model:
        """The same network with fresh weights."""
        return _build()

    def save(self, model: keras.Model, path: Path) -> None:
        with warnings.catch_warnings():
            # Keras 3.15 answers numpy 2's copy= by a warning
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(path)


def _draw(random: np.random.Generator, channel: int) -> npt.NDArray[np.uint8]:
    """A (40, 48, 3) RGB picture of soft blotches in which one channel is the brightest, often by little."""
    blotches = random.integers(0, 176, (10, 12, 3)).astype(np.float32)
    picture = cv2.resize(blotches, (48, 40), interpolation=cv2.INTER_LINEAR)
    picture[..., channel] += float(random.integers(8, 90))
    picture += random.normal(0, 3, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _build() -> keras.Model:
    """Raw uint8 RGB to three logits; the weights are random but fixed."""
    keras.utils.set_random_seed(5)
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.4)(x)
    return keras.Model(image, keras.layers.Dense(3)(x))


def _write_pictures(folder: Path) -> tuple[SplitRow, ...]:
    random = np.random.default_rng(1)
    rows = []
    for channel, label in enumerate(reversed(LABELS)):
        (folder / label).mkdir(parents=True)
        for split, count in _COUNTS.items():
            for number in range(count):
                file = f"{label}/{split}-{number}.png"
                cv2.imwrite(str(folder / file), _draw(random, channel)[..., ::-1])
                rows.append(SplitRow(file, hashlib.sha256((folder / file).read_bytes()).hexdigest(), split, label))
    return tuple(rows)


def _learn_head(model: keras.Model, rows: tuple[SplitRow, ...], data: Path) -> None:
    """Fit the last layer by least squares, which takes no time and always gives the same."""
    training = [row for row in rows if row.split == "train"]
    images = np.stack([fit_file(data / row.file, SPEC) for row in training])
    features = keras.Model(model.input, model.layers[-2].output)(images, training=False).numpy()
    wanted = 6.0 * np.eye(3)[[LABELS.index(row.label) for row in training]] - 2.0
    with_bias = np.hstack([features, np.ones((len(features), 1))])
    gram = with_bias.T @ with_bias + 0.01 * np.eye(with_bias.shape[1])  # ridge: no weight so large that int8 suffers
    solution = np.linalg.solve(gram, with_bias.T @ wanted)
    kernel, bias = model.layers[-1].weights
    kernel.assign(solution[:-1].astype(np.float32))
    bias.assign(solution[-1].astype(np.float32))


def _write_run(path: Path, data: Path) -> TinyRun:
    rows = _write_pictures(data)
    model = _build()
    _learn_head(model, rows, data)
    path.mkdir(parents=True)
    (path / "labels.json").write_text(json.dumps(LABELS))
    (path / "split.csv").write_bytes(split_to_bytes(rows))
    (path / "recipe.toml").write_text(
        'name = "cnn"\nseed = 3\n[input]\nheight = 32\nwidth = 32\nfit = "crop"\n', encoding="utf-8"
    )
    (path / "metrics.json").write_text('{"reject": {"score": "energy"}}')
    (path / "provenance.json").write_text(json.dumps({"data": str(data), "weights": "none"}))
    run = TinyRun(path, data, model)
    run.save(model, path / "model.keras")
    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Not to be changed: copy its folders first."""
    root = tmp_path_factory.mktemp("export")
    return _write_run(root / "runs" / "colours", root / "photos")


@pytest.fixture(scope="session")
def exported(tiny: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """Its export, made once."""
    out = tmp_path_factory.mktemp("out")
    return export_run(ExportRequest(run=tiny.path, out=out, others=None))


@pytest.fixture(scope="session")
def all_exported(tiny: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """An export of every variant, made once."""
    out = tmp_path_factory.mktemp("all")
    return export_run(ExportRequest(run=tiny.path, out=out, variants=ALL_VARIANTS, calibration_count=12))


@pytest.fixture(scope="session")
def images(tiny: TinyRun) -> npt.NDArray[np.uint8]:
    """(12, 32, 32, 3) validation pictures as the model takes them."""
    files = [tiny.data / label / f"validation-{number}.png" for label in LABELS for number in range(4)]
    return np.stack([fit_file(file, SPEC) for file in files])
