"""The training of the built-in bundle: its float network, and the views that it learns from."""

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DataError, TrainError
from trailcam_core.field.cutouts import Cutout
from trailcam_core.jobs.progress import silent
from trailcam_core.spec import InputSpec
from trailcam_project.field_model.__main__ import main
from trailcam_project.field_model.float_network import float_network
from trailcam_project.field_model.training import STEPS_AT_RISK, Plan, train
from trailcam_project.field_model.views import BATCH, PARTS, Sources, Views
from trailcam_train.field.settings import FieldSettings

# Keras 3.15 passes numpy's copy keyword on to TensorFlow variables, which do not know it yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

LABELS = ("cat", "dog", "nothing", "other animal")
CAT, DOG, NOTHING, OTHER = range(4)


def test_the_float_network_of_the_built_in_bundle_gives_the_answers_of_its_file() -> None:
    bundle = open_bundle(BUILTIN_BUNDLE)
    golden = np.load(BUILTIN_BUNDLE / "golden.npz")
    try:
        network = float_network(BUILTIN_BUNDLE)
    except TrainError as error:
        pytest.skip(f"the published weights cannot be had: {error}")
    logits = np.asarray(network(golden["images"], training=False))
    assert logits.argmax(axis=1).tolist() == golden["logits"].argmax(axis=1).tolist()
    assert np.abs(logits - golden["logits"]).max() < 2 * bundle.manifest.golden.tolerance


def _picture(folder: Path, name: str, level: int) -> Path:
    rng = np.random.default_rng(level)
    image = np.clip(rng.normal(level, 20, (120, 160, 3)), 0, 255).astype(np.uint8)
    path = folder / f"{name}.png"
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def _sources(folder: Path) -> Sources:
    outline = np.full((60, 40), 255, np.uint8)
    cutout = Cutout(np.full((60, 40, 3), 200, np.uint8), outline)
    cat, dog = _picture(folder, "cat", 90), _picture(folder, "dog", 160)
    return Sources(
        photographs=[(cat, CAT), (dog, DOG)],
        others=[_picture(folder, "fox", 120)],
        scenes=[_picture(folder, "meadow", 60)],
        cutouts=[(cutout, CAT)],
        other_cutouts=[cutout],
    )


def _views(sources: Sources, answers: dict[Path, np.ndarray], seed: int = 0) -> Views:
    spec = InputSpec(height=64, width=64, fit="stretch")
    return Views(sources, LABELS, answers, spec, FieldSettings(), seed)


def _targets_of(part: str, targets: np.ndarray) -> np.ndarray:
    begin = sum(count for name, count in PARTS.items() if list(PARTS).index(name) < list(PARTS).index(part))
    return targets[begin : begin + PARTS[part]]


def test_a_batch_has_its_parts_in_order_and_a_target_for_each_view(tmp_path: Path) -> None:
    pictures, targets = _views(_sources(tmp_path), {}).batch(1)
    assert pictures.shape == (BATCH, 64, 64, 3)
    assert pictures.dtype == np.uint8
    assert np.allclose(targets.sum(axis=1), 1)
    assert set(_targets_of("photographs", targets).argmax(axis=1)) == {CAT, DOG}
    assert set(_targets_of("crops", targets).argmax(axis=1)) == {CAT}
    assert set(_targets_of("others", targets).argmax(axis=1)) == {OTHER}
    assert set(_targets_of("other crops", targets).argmax(axis=1)) == {OTHER}
    assert set(_targets_of("empties", targets).argmax(axis=1)) == {NOTHING}
    assert set(_targets_of("decoys", targets).argmax(axis=1)) == {NOTHING}  # the outline of a cat is no cat


def test_the_same_seed_draws_the_same_views_and_another_one_others(tmp_path: Path) -> None:
    sources = _sources(tmp_path)
    first, again, other = (_views(sources, {}, seed).batch(1)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_teacher_is_followed_only_where_it_is_right(tmp_path: Path) -> None:
    sources = _sources(tmp_path)
    cat, dog = (file for file, _ in sources.photographs)
    right, wrong = np.array([0.6, 0.4, 0.0, 0.0]), np.array([0.9, 0.1, 0.0, 0.0])
    _, targets = _views(sources, {cat: right, dog: wrong}).batch(1)
    found = {tuple(np.round(row.astype(float), 3).tolist()) for row in _targets_of("photographs", targets)}
    assert found == {(0.82, 0.18, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0)}


def test_sources_without_a_scene_are_refused(tmp_path: Path) -> None:
    sources = _sources(tmp_path)
    with pytest.raises(DataError, match="scenes"):
        _views(Sources(sources.photographs, sources.others, [], sources.cutouts, sources.other_cutouts), {})


def _network() -> keras.Model:
    layers = keras.layers
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((64, 64, 3), dtype="uint8"),
            layers.Rescaling(1 / 255, dtype="float32"),
            layers.Conv2D(4, 3, strides=8, name="stays"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(LABELS), name="learns"),
        ]
    )


class _StoppedError(Exception):
    pass


def test_a_training_that_was_stopped_goes_on_with_the_same_result(tmp_path: Path) -> None:
    plan, checkpoint = Plan(STEPS_AT_RISK + 6, 1e-3, "stays", 0.5), tmp_path / "out.partial.npz"
    views = _views(_sources(tmp_path), {})
    whole, begun, resumed = _network(), _network(), _network()
    train(whole, views, plan, tmp_path / "whole.partial.npz", silent)
    seen: list[int] = []

    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if done == STEPS_AT_RISK + 2:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        train(begun, views, plan, checkpoint, stop)
    train(resumed, views, plan, checkpoint, lambda stage, done, total, note="": seen.append(done))

    assert seen == [*range(STEPS_AT_RISK + 1, plan.steps + 1)]
    for name in ("stays", "learns"):
        found, expected, first = (network.get_layer(name).get_weights() for network in (resumed, whole, _network()))
        np.testing.assert_array_equal(found[0], expected[0])
        assert np.array_equal(found[0], first[0]) == (name == "stays")


def test_a_training_of_other_settings_does_not_go_on(tmp_path: Path) -> None:
    checkpoint, views = tmp_path / "out.partial.npz", _views(_sources(tmp_path), {})
    train(_network(), views, Plan(STEPS_AT_RISK, 1e-3, "stays", 0.5), checkpoint, silent)
    with pytest.raises(TrainError, match=r"out\.partial\.npz: was begun with .*learning_rate=0\.001.*remove it"):
        train(_network(), views, Plan(STEPS_AT_RISK, 1e-4, "stays", 0.5), checkpoint, silent)


def test_a_layer_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    views = _views(_sources(tmp_path), {})
    with pytest.raises(TrainError, match=r"no layer 'block6'.*stays.*learns"):
        train(_network(), views, Plan(1, 1e-3, "block6", 0.5), tmp_path / "c.npz", silent)


@pytest.mark.parametrize("name", ["w.weights.h5", "missing/w.keras"])
def test_a_name_that_cannot_be_written_is_refused_before_the_training(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path), str(tmp_path), "--split", str(tmp_path / "split.csv"), "--out", str(tmp_path / name)]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "expected a name that ends in .keras, in a folder that exists" in capsys.readouterr().err
