"""What the tests of training share: pictures in memory, a network that fits in milliseconds, a few photographs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_train.fitting.gather import local_share
from trailcam_train.fitting.phases import Task
from trailcam_train.recipe.schema import ModelInput, Phase, Recipe

# Keras 3.15 passes numpy's copy keyword on to TensorFlow variables, which do not know it yet.
_KERAS_WARNING = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"

LABELS = ("blue", "green", "red")
PHASES = (Phase("head", 1, 0.01, first_layer="hidden"), Phase("whole", 2, 0.01, schedule="cosine", warmup_epochs=0.5))
RECIPE = Recipe(
    "tiny", ModelInput(32, 32), PHASES, batch_size=8, optimizer="adamw", weight_decay=0.01, ema=0.9, dropout=0.2
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every test beside this file pass over a warning that is Keras' own."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(_KERAS_WARNING))


class MemoryStream:
    """Noisy one-coloured pictures of 8x8 px, drawn from (epoch, position): a stream without files."""

    def __init__(self, count: int, batch_size: int, shuffle: bool) -> None:
        self.rows = tuple(SplitRow(f"{n}.png", "0" * 64, "train", LABELS[n % 3]) for n in range(count))
        self.batch_size = batch_size
        self.share = local_share()
        self._shuffle = shuffle

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def order(self, number: int) -> npt.NDArray[np.intp]:
        count = len(self.rows)
        return np.random.default_rng([1, number]).permutation(count) if self._shuffle else np.arange(count)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]]:
        order = self.order(number)
        for start in range(start_batch * self.batch_size, len(order), self.batch_size):
            positions = order[self.share.within(start, min(len(order), start + self.batch_size))]
            if not len(positions):
                yield np.empty((0, 8, 8, 3), np.uint8), np.empty(0, np.int32)
                continue
            yield np.stack([_picture(number, int(p)) for p in positions]), (positions % 3).astype(np.int32)

    def view(self, number: int) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]]:
        for start in range(0, len(self.rows), self.batch_size):
            part = self.share.within(start, min(start + self.batch_size, len(self.rows)))
            positions = np.arange(part.start, part.stop)
            yield np.stack([_picture(number, int(p)) for p in positions]), (positions % 3).astype(np.int32)


def _picture(epoch: int, position: int) -> npt.NDArray[np.uint8]:
    picture = np.random.default_rng([epoch, position]).integers(0, 200, (8, 8, 3)).astype(np.uint8)
    picture[..., position % 3] += 30
    return picture


def tiny_task(recipe: Recipe) -> Task:
    """Return a task of 30 training and 12 validation pictures."""
    training = MemoryStream(30, recipe.batch_size, shuffle=True)
    return Task(recipe, training, MemoryStream(12, recipe.batch_size, shuffle=False), np.ones(3, np.float32))


def tiny_network() -> keras.Model:
    """Return a network of 8x8 px with everything that has a state of its own: BatchNorm and dropout."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3), dtype="uint8"),
            layers.Rescaling(1 / 255, dtype="float32"),
            layers.Conv2D(4, 3, strides=2, name="stem"),
            layers.BatchNormalization(name="stem_bn"),
            layers.Flatten(name="flatten"),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(3, name="logits", dtype="float32"),
        ]
    )


def write_photos(root: Path, count: int) -> None:
    """Write ``count`` blurred noise pictures of 48x40 px per label; no two are near-duplicates."""
    rng = np.random.default_rng(0)
    for channel, label in enumerate(LABELS):
        (root / label).mkdir(parents=True)
        for number in range(count):
            noise = cv2.GaussianBlur(rng.integers(0, 256, (40, 48, 3)).astype(np.uint8), (0, 0), 2) // 2
            noise[..., channel] += 90
            cv2.imwrite(str(root / label / f"{number}.jpg"), noise)


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    """Let TensorFlow compile nothing: for a few steps of a tiny network that takes far longer than the steps."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """A recipe of two phases for ``make_network``."""
    return RECIPE


@pytest.fixture(scope="session")
def make_task() -> Callable[[Recipe], Task]:
    """A function that gives a task of 30 training and 12 validation pictures."""
    return tiny_task


@pytest.fixture(scope="session")
def make_network() -> Callable[[], keras.Model]:
    """A function that gives the same small network each time."""
    return tiny_network


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 3 classes of 12 tiny photographs; not to be changed."""
    root = tmp_path_factory.mktemp("photos")
    write_photos(root / "data", 12)
    return root / "data"
