"""The drift gate on device crops: they may fail a file alone, and few of them are a warning."""

from dataclasses import replace

import pytest

from trailcam_export.gate.criteria import CriterionResult, Verdict
from trailcam_export.gate.gate import GateResult, with_crops


def result(verdict: Verdict, name: str = "agreement") -> GateResult:
    criterion = CriterionResult(name, "same answer", 0.95, 0.9, 0.85, 0.94, 100, verdict, f"{verdict.value} reason")
    return GateResult("strict", verdict, criterion.reason, (criterion,))


def test_crops_that_fail_alone_fail_the_file_with_their_number() -> None:
    found = with_crops(result(Verdict.PASS), result(Verdict.FAIL), 40)
    assert found.verdict is Verdict.FAIL
    assert found.reason == "on 40 device crops: fail reason"
    assert [item.name for item in found.criteria] == ["agreement", "crops_agreement"]
    assert found.criteria[1].rule == "device crops: same answer"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_too_few_crops_decide_nothing_and_are_a_warning(verdict: Verdict) -> None:
    whole = result(verdict)
    found = with_crops(whole, result(Verdict.INCONCLUSIVE), 7)
    assert (found.verdict, found.reason, found.criteria) == (verdict, whole.reason, whole.criteria)
    assert found.warnings == ("the 7 device crops alone cannot decide: inconclusive reason",)


def test_crops_that_pass_rescue_nothing() -> None:
    whole = replace(result(Verdict.FAIL), cause="colour order")
    found = with_crops(whole, result(Verdict.PASS), 40)
    assert (found.verdict, found.reason, found.cause) == (Verdict.FAIL, "fail reason", "colour order")
