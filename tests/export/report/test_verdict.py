"""The verdict on an export reads as a decision."""

import pytest

from trailcam_export.gate.criteria import Verdict
from trailcam_export.report.verdict import VariantVerdict, describe_verdict


def _variant(name: str, verdict: Verdict, suspicious: bool = False, needed: int | None = None) -> VariantVerdict:
    return VariantVerdict(name, verdict, suspicious, needed)


FLOAT = _variant("float32", Verdict.PASS)
SAME = VariantVerdict("int8", Verdict.PASS, False, None, unproven_loss=0.0964)


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        ([FLOAT], "You may ship float32: the loss is proven to be within the bounds."),
        (
            [FLOAT, SAME],
            "You may ship float32: the loss is proven to be within the bounds. You may ship int8: no answer differs on "
            "36 test pictures; the interval of the loss is 0 to 9.6%.",
        ),
        (
            [_variant("int8", Verdict.INCONCLUSIVE, needed=2391)],
            "36 test pictures are too few to prove the bounds for int8. Nothing suspicious was seen; you may ship it. "
            "About 2,400 would do.",
        ),
        (
            [_variant("int8", Verdict.INCONCLUSIVE)],
            "36 test pictures are too few to prove the bounds for int8. Nothing suspicious was seen; you may ship it.",
        ),
        (
            [_variant("int8", Verdict.INCONCLUSIVE, suspicious=True)],
            "36 test pictures are too few to prove the bounds for int8. There is a warning about int8: read it before "
            "you ship.",
        ),
        (
            [FLOAT, _variant("int8", Verdict.FAIL), _variant("int16x8", Verdict.PASS)],
            "Do not ship int8: too many answers differ from the trained model's. You may ship float32 and int16x8: "
            "the loss is proven to be within the bounds.",
        ),
    ],
)
def test_the_verdict_is_a_decision(variants: list[VariantVerdict], expected: str) -> None:
    assert describe_verdict(variants, 36) == expected


def test_a_loss_that_was_seen_is_not_called_nothing_suspicious() -> None:
    seen = VariantVerdict("int8", Verdict.INCONCLUSIVE, False, 100, beyond=True)
    assert describe_verdict([seen], 12) == (
        "12 test pictures are too few to prove the bounds for int8. What was measured for int8 misses a bound; measure "
        "more before you ship it. About 100 would do."
    )


def test_a_number_of_pictures_is_named_only_if_it_decides_all() -> None:
    unknown = [_variant("int8", Verdict.INCONCLUSIVE, needed=900), _variant("int16x8", Verdict.INCONCLUSIVE)]
    assert "would do" not in describe_verdict(unknown, 36)
    assert "for int8 and int16x8" in describe_verdict(unknown, 36)
