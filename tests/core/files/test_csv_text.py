import csv
import io

import pytest

from trailcam_core.files.csv_text import csv_line


@pytest.mark.parametrize(
    "cells",
    [
        ["fox", "0.5", "", "2026-06-01T00:00:00Z"],
        ["roe deer, young", "1"],
        ['a "fox"', "1"],
        ["line\nbreak", "1"],
        ["return\rhere", "1"],
        [" space ", "\t", "'=1"],
        ["ř", "狐", "😀"],
        ["", ""],
        [","],
        [""],
        ["one"],
    ],
)
def test_a_line_is_that_of_the_standard_writer(cells: list[str]) -> None:
    expected = io.StringIO()
    csv.writer(expected, lineterminator="\n").writerow(cells)
    assert csv_line(cells) == expected.getvalue()
