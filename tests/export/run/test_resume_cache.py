"""What a killed export keeps, and what it does not."""

from pathlib import Path

import numpy as np
import pytest

from trailcam_core.errors import ExportError
from trailcam_export.run.resume_cache import WORK_PREFIX, open_resume_cache

INPUTS = {"model": "a" * 64}
LOGITS = {"test": np.arange(6, dtype=np.float32).reshape(2, 3)}


def _work(out: Path, inputs: dict[str, str]) -> None:
    with open_resume_cache(out, "mine", inputs) as cache:
        found = cache.save_converted("int8", "tflite", b"TFL3 model", None, 1.5)
        cache.save_logits("int8", found.sha256, LOGITS)
        raise KeyboardInterrupt


def _interrupted(out: Path, inputs: dict[str, str] = INPUTS) -> None:
    with pytest.raises(KeyboardInterrupt):
        _work(out, inputs)


def test_finished_parts_of_a_killed_export_are_found_again(tmp_path: Path) -> None:
    _interrupted(tmp_path)
    with open_resume_cache(tmp_path, "mine", INPUTS) as cache:
        found = cache.load_converted("int8", "tflite")
        assert found is not None
        assert (found.path.read_bytes(), found.parity, found.conversion_s) == (b"TFL3 model", None, 1.5)
        logits = cache.load_logits("int8", found.sha256)
        assert logits is not None
        assert np.array_equal(logits["test"], LOGITS["test"])
        assert cache.load_logits("int8", "0" * 64) is None
        assert cache.load_converted("float32", "tflite") is None
    assert list(tmp_path.iterdir()) == []


def test_other_inputs_throw_the_finished_parts_away(tmp_path: Path) -> None:
    _interrupted(tmp_path)
    with open_resume_cache(tmp_path, "mine", {"model": "b" * 64}) as cache:
        assert cache.load_converted("int8", "tflite") is None
        assert cache.is_empty()


def test_a_file_that_was_damaged_meanwhile_is_not_used(tmp_path: Path) -> None:
    _interrupted(tmp_path)
    (tmp_path / f"{WORK_PREFIX}mine" / "int8.tflite").write_bytes(b"TFL3 other")
    (tmp_path / f"{WORK_PREFIX}mine" / "int8.npz").write_bytes(b"cut off")
    with open_resume_cache(tmp_path, "mine", INPUTS) as cache:
        assert cache.load_converted("int8", "tflite") is None
        assert cache.load_logits("int8", "a" * 64) is None


def test_an_export_that_finished_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="early"), open_resume_cache(tmp_path, "mine", INPUTS):
        raise ExportError("early")
    assert list(tmp_path.iterdir()) == []


def test_two_exports_of_one_name_do_not_mix(tmp_path: Path) -> None:
    with open_resume_cache(tmp_path, "mine", INPUTS):
        with (
            pytest.raises(ExportError, match="another export of 'mine' is running"),
            open_resume_cache(tmp_path, "mine", INPUTS),
        ):
            pass
        with open_resume_cache(tmp_path, "other", INPUTS):
            pass
