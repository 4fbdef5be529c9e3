"""A tiny finished run: three colours as labels, synthetic pictures of 48x40 px, a Keras model of 32 px."""

import hashlib
import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.datasets.run_directory import SplitRow, split_to_bytes
from trailcam_core.spec import InputSpec, OutputSpec, RejectRule
from trailcam_export.convert.variants import ALL_VARIANTS
from trailcam_export.gate.statistics import ClassIds, ModelOutputs
from trailcam_export.inference.batches import Logits, fit_file
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
    return export_run(ExportRequest(run=tiny.path, out=out, ood=None))


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


DRIFT_LABELS = tuple("abcdefghij")
OUTPUT = OutputSpec(DRIFT_LABELS, 1.0, RejectRule("max_logit", 3.0, 0.95, 100, None, 0))


class DriftCases:
    """Logits of ten labels."""

    labels = DRIFT_LABELS

    def reference(self, n: int, right: float = 0.96, seed: int = 0) -> tuple[ModelOutputs, ClassIds]:
        """A model that is sure of most pictures and right on about the share ``right``; equally many of each label."""
        random = np.random.default_rng(seed)
        class_ids = np.arange(n) % len(DRIFT_LABELS)
        logits = random.normal(0, 0.7, (n, len(DRIFT_LABELS)))
        shown = np.where(random.random(n) < right, class_ids, random.integers(0, len(DRIFT_LABELS), n))
        logits[np.arange(n), shown] += 9.0
        return ModelOutputs(logits.astype(np.float32), OUTPUT), class_ids

    def noisy(self, answers: ModelOutputs, deviation: float, seed: int = 1) -> ModelOutputs:
        """The same with noise in every logit, as quantisation adds it."""
        random = np.random.default_rng(seed)
        return replace(
            answers, logits=answers.logits + random.normal(0, deviation, answers.logits.shape).astype(np.float32)
        )

    def turned(
        self, answers: ModelOutputs, class_ids: ClassIds, lost: int = 0, won: int = 0, swapped: int = 0
    ) -> ModelOutputs:
        """The same, but this many right answers become wrong, wrong ones right, and wrong ones otherwise wrong."""
        logits: Logits = answers.logits.copy()
        said = logits.argmax(axis=1)
        right, wrong = np.flatnonzero(said == class_ids), np.flatnonzero(said != class_ids)
        assert lost <= len(right)
        assert won + swapped <= len(wrong)

        def answer(places: np.ndarray, class_id: np.ndarray) -> None:
            logits[places, class_id] = logits[places].max(axis=1) + 0.1

        answer(right[:lost], (class_ids[right[:lost]] + 1) % len(DRIFT_LABELS))
        answer(wrong[:won], class_ids[wrong[:won]])
        third = wrong[won : won + swapped]
        answer(third, np.array([({0, 1, 2} - {int(said[i]), int(class_ids[i])}).pop() for i in third], int))
        return replace(answers, logits=logits)


@pytest.fixture(scope="session")
def cases() -> DriftCases:
    return DriftCases()
