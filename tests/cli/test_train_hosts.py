"""What ``trailcam train`` prints at its start about hosts and GPUs."""

from pathlib import Path

import pytest

from trailcam.commands import train


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, of whose driver the files are there, and no choice of the user among them."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.setattr(train, "_DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("backend", "used", "expected"),
    [
        ("tensorflow", True, "1 of 2 stay idle on the backend tensorflow: KERAS_BACKEND=jax trains on all of them"),
        ("tensorflow", False, "2 of 2 stay idle on the backend tensorflow: install a tensorflow that supports them"),
        ("jax", True, ""),
    ],
)
def test_gpus_that_stay_idle_are_one_line(
    backend: str, used: bool, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trailcam_train.models.runtime.has_gpu", lambda: used)

    train._report_idle_gpus(backend)

    assert capsys.readouterr().err.removeprefix("gpus").strip() == expected


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("visible", ["", "-1", "1"])
def test_gpus_that_the_user_hides_are_not_idle(
    visible: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("trailcam_train.models.runtime.has_gpu", lambda: visible == "1")

    train._report_idle_gpus("tensorflow")

    assert capsys.readouterr().err == ""
