"""The child that reads the weights of a Keras file."""

from pathlib import Path

import pytest

from trailcam_core.errors import ExportError, TrailcamError, TrainError
from trailcam_core.files import keras_weights
from trailcam_core.files.keras_weights import prove_weights


def test_a_file_that_python_refuses_is_left_to_the_caller(tmp_path: Path) -> None:
    (tmp_path / "no.h5").write_bytes(b"no HDF5 file")
    prove_weights(tmp_path / "no.h5", TrainError)
    prove_weights(tmp_path / "missing.h5", TrainError)


@pytest.mark.parametrize("kind", [TrainError, ExportError])
def test_a_reader_that_dies_is_an_error_of_the_caller_with_the_name_of_the_file(
    kind: type[TrailcamError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.h5").write_bytes(b"x")
    monkeypatch.setattr(keras_weights, "read_in_child", lambda module, path: "abort (SIGABRT)")
    with pytest.raises(kind, match=r"bad\.h5: the file made its reader abort \(SIGABRT\)"):
        prove_weights(tmp_path / "bad.h5", kind)


def test_every_dataset_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5py = pytest.importorskip("h5py", reason="needs h5py, which comes with Keras")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers/dense/kernel"] = [1.0, 2.0]
        file["layers/dense"].attrs["name"] = "dense"
    read: list[object] = []
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append((self.name, key)))
    assert keras_weights._main(tmp_path / "a.h5") == 0
    assert read == [("/layers/dense/kernel", ())]
