"""Bars by name or from a file; nothing is guessed."""

from pathlib import Path

import pytest

from trailcam_core.errors import ExportError
from trailcam_export.gate.presets import DEFAULT_PRESET, PRESETS, find_preset


def test_the_presets_are_there_by_name() -> None:
    assert find_preset("mlperf-99").min_top1_retention == 0.99
    assert find_preset("mlperf-98").min_top1_retention == 0.98
    strict = find_preset("strict")
    assert (strict.min_top1_delta, strict.min_agreement) == (-0.005, 0.985)
    assert DEFAULT_PRESET in PRESETS


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "Ours.toml"
    path.write_text("min_agreement = 0.97\nmin_recall_delta = -0.1\nconfidence = 0.9\n")
    found = find_preset(str(path))
    assert (found.name, found.min_agreement, found.min_recall_delta) == ("ours", 0.97, -0.1)
    assert (found.min_top1_delta, found.confidence, found.max_kl_p95) == (None, 0.9, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_agreemnt = 0.9", r"unknown key 'min_agreemnt', expected one of name, min_top1_retention"),
        ("min_agreement = 98.5", r"min_agreement is 98.5, expected 0 to 1"),
        ("min_agreement = true", r"min_agreement is true, expected a number, 0 to 1"),
        ("min_top1_delta = 0.01", r"min_top1_delta is 0.01, expected -1 to 0"),
        ('name = "strict"\nmin_agreement = 0.9', r"name is 'strict'"),
        ('name = "Not Good"\nmin_agreement = 0.9', r"name is 'Not Good'"),
        ("confidence = 0.9", r"names no criterion, so every file would pass"),
        ("", r"names no criterion"),
        ("min_agreement = ", r"not TOML"),
    ],
)
def test_a_file_that_is_wrong_says_what_is_right(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(text)
    with pytest.raises(ExportError, match=message):
        find_preset(str(path))


def test_neither_preset_nor_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"expected mlperf-99, mlperf-98, strict, or a \.toml file"):
        find_preset("lenient")
    with pytest.raises(ExportError, match=r"nowhere\.toml: cannot be read"):
        find_preset(str(tmp_path / "nowhere.toml"))
