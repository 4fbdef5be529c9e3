"""Numbers on the command line that no option takes."""

import pytest

from trailcam.main import main

_BIG = "9" * 20


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["classify", "a.jpg", "--out", "a.csv", "--threshold", "nan"], "'nan' is no number"),
        (["classify", "a.jpg", "--out", "a.csv", "--threshold", "inf"], "'inf' is no number"),
        (["classify", "a.jpg", "--out", "a.csv", "--jobs", "two"], "'two' is no whole number"),
        (["classify", "a.jpg", "--top", _BIG], "is no whole number of at most 18 digits"),
        (["classify", "a.jpg", "--threads", "1.5"], "'1.5' is no whole number"),
        (["classify", "a.jpg", "--value-range", "nan", "1"], "'nan' is no number"),
        (["events", "--limit", _BIG], "is no whole number of at most 18 digits"),
        (["data", "import", "a", "--out", "b", "--min-confidence", "nan"], "'nan' is no number"),
        (["data", "import", "a", "--out", "b", "--min-confidence", "80"], "expected 0 to 1"),
        (["train", "a", "--seed", _BIG], "is no whole number of at most 18 digits"),
        (["export", "a", "--calibration-count", "many"], "'many' is no whole number"),
        (["deploy", "--to", "pi@camera", "--wait", "nan"], "'nan' is no number"),
        (["release", "widen", "x", _BIG], "is no whole number of at most 18 digits"),
        (["review", "STORE", "--serve", "0.0.0.0:99999999"], "expected HOST:PORT"),
    ],
)
def test_a_number_that_no_option_takes_is_one_usage_error(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(words)
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert expected in capsys.readouterr().err
