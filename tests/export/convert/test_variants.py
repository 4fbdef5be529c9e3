"""Names of variants."""

import pytest

from trailcam_core.errors import ExportError
from trailcam_export.convert.variants import ALL_VARIANTS, DEFAULT_VARIANTS, MIXED_INT8, parse_variants


def test_all_are_eight_files_each_with_a_name_of_its_own() -> None:
    names = [variant.name for variant in ALL_VARIANTS]
    assert names == [
        "float32",
        "float16",
        "dynamic_int8",
        "int8",
        "int16x8",
        "onnx-float32",
        "onnx-float16",
        "onnx-int8",
    ]
    assert parse_variants(["all"]) == ALL_VARIANTS


def test_what_fix_makes_cannot_be_asked_for() -> None:
    assert MIXED_INT8.name == "mixed_int8"
    assert MIXED_INT8.needs_calibration
    with pytest.raises(ExportError, match="no variant 'mixed_int8'"):
        parse_variants(["mixed_int8"])


def test_names_are_taken_once_in_a_fixed_order() -> None:
    assert parse_variants(["int8", " float32", "int8"]) == DEFAULT_VARIANTS


@pytest.mark.parametrize("names", [["int4"], [], [""], ["int8", "onnx-int16x8"]])
def test_an_unknown_name_lists_the_valid_ones(names: list[str]) -> None:
    with pytest.raises(ExportError, match=r"there are: float32, .*onnx-int8, and all"):
        parse_variants(names)


def test_what_each_needs() -> None:
    by_name = {variant.name: variant for variant in ALL_VARIANTS}
    assert {name for name, variant in by_name.items() if variant.needs_calibration} == {"int8", "int16x8", "onnx-int8"}
    assert {name for name, variant in by_name.items() if variant.is_float} == {
        "float32",
        "float16",
        "onnx-float32",
        "onnx-float16",
    }
