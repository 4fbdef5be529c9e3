"""The loop on the backends that are not the default, each in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "tiny_training.py"


STOP = "4"  # batches: in the first epoch of the second phase


def train_with(backend: str, folder: Path, *words: str, **more: str) -> Any:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}, which is not installed")
    folder.mkdir()
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path), **more}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def on_two(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a training on two simulated devices gave."""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    return train_with("jax", tmp_path_factory.mktemp("two") / "runs", "2", STOP, **flags)


def test_two_devices_share_every_batch(on_two: Any) -> None:
    assert on_two["devices"] == 2
    images, targets, weights = on_two["shards"]
    for placed in (images, targets, weights):
        assert len({device for device, _ in placed}) == 2
        assert [shape[0] for _, shape in placed] == [4, 4]


def test_two_devices_learn_what_one_learns(on_two: Any, tmp_path: Path) -> None:
    alone = train_with("jax", tmp_path / "runs", "auto")

    assert alone["devices"] == 1
    for name in ("losses", "validation"):
        np.testing.assert_allclose(on_two["whole"][name], alone["whole"][name], rtol=1e-3)  # sums in another order


def test_two_devices_go_on_after_a_kill(on_two: Any) -> None:
    assert on_two["resumed"] == on_two["whole"]


def test_after_a_training_on_two_devices_any_number_of_pictures_can_be_explained(on_two: Any) -> None:
    assert on_two["maps"] == [3, 3, 3]


def test_the_loop_itself_loads_no_tensorflow(on_two: Any) -> None:
    assert not on_two["tensorflow"]


def test_torch_trains_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    found = train_with("torch", tmp_path / "runs", "auto", STOP)

    assert found["devices"] == 1
    assert np.isfinite(found["whole"]["losses"]).all()
    assert found["resumed"] == found["whole"]
