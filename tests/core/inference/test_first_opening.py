"""Models that abort or crash the interpreter: contained in a child process, named, and tried once."""

from pathlib import Path

import pytest

from trailcam_core.errors import BundleError
from trailcam_core.inference import first_opening
from trailcam_core.inference.first_opening import prove_opening

FIXTURES = Path(__file__).parents[1] / "fixtures"
# Changes to the inside of sound models, found by mutation, that end LiteRT 2.1 to 2.3.
ABORTING = {"uint8_logits": {1480: 0, 1481: 0, 1482: 1, 1483: 0}, "softmax": {1700: 8, 1701: 0, 1703: 0}}


def write_aborting(folder: Path, name: str = "uint8_logits") -> Path:
    content = bytearray((FIXTURES / f"{name}.tflite").read_bytes())
    for place, value in ABORTING[name].items():
        content[place] = value
    path = folder / f"{name}.tflite"
    path.write_bytes(content)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "trailcam" / "opened-models"


@pytest.mark.parametrize("name", ABORTING)
def test_a_model_that_aborts_the_interpreter_is_an_error(tmp_path: Path, cache: Path, name: str) -> None:
    path = write_aborting(tmp_path, name)
    for _ in range(2):  # it is not marked as opened
        with pytest.raises(BundleError, match=rf"{name}.tflite: the model made the interpreter (abort|crash) \(SIG"):
            prove_opening(path)
    assert not cache.exists()


def test_a_sound_model_starts_one_child_only(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prove_opening(FIXTURES / "uint8_logits.tflite")
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(first_opening, "read_in_child", lambda *_: pytest.fail("it was opened again"))
    prove_opening(FIXTURES / "uint8_logits.tflite")


def test_errors_that_python_reports_are_left_to_the_caller(tmp_path: Path) -> None:
    for name in ("unknown_op.tflite", "two_outputs.tflite"):
        prove_opening(FIXTURES / name)
    (tmp_path / "empty.tflite").touch()
    prove_opening(tmp_path / "empty.tflite")
    prove_opening(tmp_path / "missing.tflite")


def test_a_user_without_a_home_folder_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", refuse)
    prove_opening(FIXTURES / "uint8_logits.tflite")


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    prove_opening(FIXTURES / "uint8_logits.tflite")
