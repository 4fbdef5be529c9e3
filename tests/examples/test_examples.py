"""Every program of ``examples/`` does what its docstring states."""

import importlib.util
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_core.bundle.folder import open_bundle, write_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE

EXAMPLES = Path(__file__).parents[2] / "examples"
DEMO = Path(__file__).parents[2] / "edge" / "trailcam_edge" / "data" / "demo"
CLIP = DEMO / "walk.mp4"  # a cow walks through a meadow


def load(name: str) -> Callable[..., int]:
    """Return the ``main`` of an example."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Callable[..., int] = module.main
    return main


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_named_here(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    assert f'load("{path.stem}")' in Path(__file__).read_text(encoding="utf-8")


def test_classify_photo_prints_the_label_and_the_runners_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert load("classify_photo")(str(DEMO / "cow_1.webp")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cow (")
    assert len(lines) == 4


def test_classify_photo_reports_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load("classify_photo")(str(tmp_path / "no.jpg")) == 1
    assert "no.jpg" in capsys.readouterr().err


def test_watch_folder_prints_the_visits_of_a_video(capsys: pytest.CaptureFixture[str]) -> None:
    assert load("watch_folder")(str(CLIP)) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("visit: cow ")


def test_watch_folder_prints_the_answer_of_each_photograph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(DEMO / "cow_1.webp", tmp_path)
    (tmp_path / "damaged.jpg").write_bytes(b"no picture")
    assert load("watch_folder")(str(tmp_path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "cow_1.webp: cow" in lines
    assert any("damaged.jpg" in line for line in lines)


def test_own_sink_gets_every_visit_once_and_again_after_a_restart(tmp_path: Path) -> None:
    store, visits = tmp_path / "store", tmp_path / "visits.csv"
    for count in (1, 2):
        assert load("own_sink")(str(CLIP), store, visits) == 0
        rows = visits.read_text(encoding="utf-8").splitlines()
        assert [row.split(",")[2] for row in rows] == ["cow"] * count
    assert len(set(rows)) == 2


def test_own_source_is_watched_like_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture, frames = cv2.VideoCapture(str(CLIP)), []
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1])[..., ::-1])
    np.save(tmp_path / "frames.npy", np.stack(frames))
    assert load("own_source")(tmp_path / "frames.npy") == 0
    assert capsys.readouterr().out.startswith("visit: cow ")


def test_export_keras_model_writes_two_bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras = pytest.importorskip("keras")
    random = np.random.default_rng(3)
    for channel, label in enumerate(("red", "blue")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(20):
            blotches = random.integers(0, 150, (5, 6, 3), np.uint8)  # noise in single pixels is refused
            picture = cv2.resize(blotches, (48, 40), interpolation=cv2.INTER_LINEAR)
            picture[..., 2 - 2 * channel] += 100  # in OpenCV's order
            cv2.imwrite(str(tmp_path / "data" / label / f"{number}.png"), picture)
    (tmp_path / "labels.txt").write_text("red\nblue\n", encoding="utf-8")
    image = keras.Input((32, 32, 3))
    scaled = keras.layers.Rescaling(1 / 255)(image)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, use_bias=False)(scaled))
    model = keras.Model(image, keras.layers.Dense(2)(pooled))
    kernel = np.zeros((3, 3, 3, 4), np.float32)
    kernel[1, 1, 0, 0] = kernel[1, 1, 2, 1] = kernel[1, 1, 1, 2] = kernel[1, 1, 1, 3] = 1.0
    model.layers[2].set_weights([kernel])
    model.layers[4].set_weights([np.array([[9, -9], [-9, 9], [0, 0], [0, 0]], np.float32), np.zeros(2, np.float32)])
    with warnings.catch_warnings():
        # Keras 3.15 answers numpy 2's copy= by a warning
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        model.save(tmp_path / "model.keras")
    paths = (tmp_path / "model.keras", tmp_path / "labels.txt", tmp_path / "data", tmp_path / "out")
    assert load("export_keras_model")(*paths) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].rsplit("/")[-1] for line in lines] == ["float32.bundle", "int8.bundle"]
    assert all("top-1 100.0%" in line for line in lines)


def test_update_from_stick_activates_a_release_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from trailcam_deploy.release.drift_verdict import Approval
    from trailcam_deploy.release.keys import KeyFolder
    from trailcam_deploy.release.repository import ReleaseRepository

    builtin = open_bundle(BUILTIN_BUNDLE)
    golden = (BUILTIN_BUNDLE / "golden.npz").read_bytes()
    manifest = replace(builtin.manifest, name="mine", version="1.0.1")
    bundle = write_bundle(tmp_path / "mine.bundle", manifest, builtin.model_path, golden)
    repository = ReleaseRepository(tmp_path / "release", KeyFolder(tmp_path / "keys"), datetime.now(UTC))
    repository.init("correct horse battery staple")
    repository.add(bundle, "mine", Approval("pass"))
    root = tmp_path / "root.json"
    root.write_bytes(repository.root_bytes())
    main = load("update_from_stick")
    assert main(tmp_path / "release", root, "mine", tmp_path / "camera") == 0
    assert "mine 1.0.1: active" in capsys.readouterr().out
    assert open_bundle(tmp_path / "camera" / "current").manifest.version == "1.0.1"
    assert main(tmp_path / "release", root, "mine", tmp_path / "camera") == 0
    assert "up to date" in capsys.readouterr().out
