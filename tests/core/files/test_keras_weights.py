"""The child that reads the weights of a Keras file."""

from pathlib import Path

import pytest

from trailcam_core.files import keras_weights
from trailcam_core.files.keras_weights import read_weights_in_child


def test_a_file_that_python_refuses_is_left_to_the_caller(tmp_path: Path) -> None:
    (tmp_path / "no.h5").write_bytes(b"no HDF5 file")
    assert read_weights_in_child(tmp_path / "no.h5") is None
    assert read_weights_in_child(tmp_path / "missing.h5") is None


def test_every_dataset_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5py = pytest.importorskip("h5py", reason="needs h5py, which comes with Keras")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers/dense/kernel"] = [1.0, 2.0]
        file["layers/dense"].attrs["name"] = "dense"
    read: list[object] = []
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append((self.name, key)))
    assert keras_weights._main(tmp_path / "a.h5") == 0
    assert read == [("/layers/dense/kernel", ())]
