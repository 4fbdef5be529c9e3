"""From logits to an answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.inference.decision import (
    Rejection,
    confidence_score,
    decide,
    fit_reject_rule,
    is_named,
    probabilities,
)
from trailcam_core.spec import REJECT_SCORES, OutputSpec, RejectRule

_LABELS = ("cat", "dog", "fox")


def _output(temperature: float = 1.0, score: str | None = None, threshold: float = 0.0) -> OutputSpec:
    rule = None if score is None else RejectRule(score, threshold, 0.95, 100, None, 0)
    return OutputSpec(_LABELS, temperature, rule)


def _logits(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


_ROWS = st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3)


def test_probabilities_are_the_softmax() -> None:
    assert probabilities(_logits(0, np.log(2), np.log(5))) == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert probabilities(_logits(0, 2 * np.log(2), 2 * np.log(5)), 2.0) == pytest.approx([1 / 8, 2 / 8, 5 / 8])


@given(_ROWS, st.floats(0.01, 100))
def test_probabilities_sum_to_one_and_keep_the_order(row: list[float], temperature: float) -> None:
    shares = probabilities(_logits(*row), temperature)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()
    assert shares[np.argmax(row)] == shares.max()


def test_each_row_is_a_picture_of_its_own() -> None:
    rows = np.random.default_rng(0).normal(0, 5, (2, 4, 3)).astype(np.float32)
    assert np.allclose(probabilities(rows)[1, 2], probabilities(rows[1, 2]))
    for score in REJECT_SCORES:
        assert np.allclose(confidence_score(rows, score)[1, 2], confidence_score(rows[1, 2], score))


def test_scores_are_what_their_names_say() -> None:
    logits = _logits(1, 2, 3)
    assert confidence_score(logits, "max_logit") == 3
    assert confidence_score(logits, "energy") == pytest.approx(np.log(np.exp([1, 2, 3]).sum()))
    assert confidence_score(logits, "max_probability") == pytest.approx(np.exp(3) / np.exp([1, 2, 3]).sum())
    assert np.isfinite(confidence_score(_logits(1e4, 1e4, -1e4), "energy"))


def test_an_unknown_score_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="one of max_logit, energy, max_probability, got 'magic'"):
        confidence_score(_logits(1), "magic")


@given(st.lists(_ROWS, min_size=1, max_size=60), st.floats(0, 1), st.sampled_from(REJECT_SCORES))
def test_a_fitted_threshold_keeps_at_least_the_share_and_not_many_more(
    rows: list[list[float]], keep: float, score: str
) -> None:
    logits = np.array(rows, np.float32)
    threshold = fit_reject_rule(logits, score, keep)
    scores = confidence_score(logits, score)
    assert (scores >= threshold).mean() >= keep - 1e-12
    assert (scores > threshold).mean() <= keep + 1e-12 or threshold == scores.min()


@pytest.mark.parametrize(("count", "keep"), [(0, 0.9), (5, 1.1), (5, -0.1)])
def test_a_threshold_of_nothing_is_a_wrong_call(count: int, keep: float) -> None:
    with pytest.raises(ValueError, match=r"at least one picture and keep in 0\.\.1"):
        fit_reject_rule(np.zeros((count, 3), np.float32), "energy", keep)


def test_the_answer_is_the_most_probable_label() -> None:
    answer = decide(_logits(0, 5, 3), _output(), top_count=2)
    assert answer.label == "dog"
    assert [candidate.label for candidate in answer.top] == ["dog", "fox"]
    assert answer.confidence == answer.top[0].probability == pytest.approx(np.exp(5) / np.exp([0, 5, 3]).sum())


def test_of_equals_the_first_label_wins_and_more_candidates_than_labels_are_not_made_up() -> None:
    answer = decide(_logits(1, 1, 1), _output(), top_count=10)
    assert [candidate.label for candidate in answer.top] == list(_LABELS)


def test_the_temperature_changes_confidence_not_the_label() -> None:
    sharp, flat = decide(_logits(0, 5, 3), _output(0.5)), decide(_logits(0, 5, 3), _output(5))
    assert sharp.label == flat.label == "dog"
    assert sharp.confidence > 0.98 > 0.6 > flat.confidence


@pytest.mark.parametrize("score", REJECT_SCORES)
def test_below_the_threshold_the_answer_is_unknown_but_says_what_was_best(score: str) -> None:
    logits = _logits(0, 5, 3)
    value = float(confidence_score(logits, score))
    kept = decide(logits, _output(2.0, score, value))
    turned_away = decide(logits, _output(2.0, score, np.nextafter(value, np.inf)))
    assert kept.label == "dog"
    assert turned_away.label is None
    assert turned_away.top == kept.top
    assert turned_away.confidence == kept.confidence
    assert kept.rejection is None
    assert turned_away.rejection == Rejection(score, value, float(np.nextafter(value, np.inf)))


def test_the_background_is_unknown_only_when_it_is_the_best() -> None:
    silent = decide(_logits(0, 5, 3), _output(2.0, "max_logit", 9.0), background=1)
    assert silent.label is None
    assert silent.rejection is None  # the rule did not decide
    assert decide(_logits(0, 5, 3), _output(), background=0).label == "dog"


@pytest.mark.parametrize(
    ("logits", "top_count"),
    [(_logits(0, np.nan, 1), 3), (_logits(0, np.inf, 1), 3), (_logits(0, 1), 3), (_logits(0, 1, 2), 0)],
)
def test_numbers_that_mean_nothing_are_a_wrong_call(logits: np.ndarray, top_count: int) -> None:
    with pytest.raises(ValueError, match="3 finite logits and top_count of 1 or more"):
        decide(logits, _output(), top_count)


def test_labels_of_nothing_and_of_the_unknown_are_never_the_answer() -> None:
    output = OutputSpec(("cat", "nothing", "other animal"), 1.0, None, "logits", ("nothing",), ("other animal",))
    cat, nothing, other = (decide(_logits(*row), output) for row in ((5, 0, 0), (0, 5, 0), (0, 0, 5)))
    assert (cat.label, cat.blank) == ("cat", False)
    assert (nothing.label, nothing.blank) == (None, True)
    assert (other.label, other.blank) == (None, False)
    assert nothing.top[0].label == "nothing"


def test_what_is_named_is_what_gets_a_label() -> None:
    rule = RejectRule("max_logit", 2.0, 0.95, 100, None, 0)
    output = OutputSpec(_LABELS, 1.0, rule, "logits", ("dog",), ())
    rows = np.random.default_rng(0).normal(0, 3, (200, 3)).astype(np.float32)
    named = is_named(rows, output, "max_logit", 2.0)
    assert named.tolist() == [decide(row, output).label is not None for row in rows]
    assert 0 < named.sum() < 200
