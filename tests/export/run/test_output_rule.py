"""Temperature and reject rule are those of the file that ships."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.datasets.run_directory import read_run
from trailcam_core.errors import ExportError
from trailcam_core.spec import InputSpec, OutputSpec
from trailcam_export.run.output_rule import choose_score, find_ood_images, fit_output

LABELS = ("blue", "green", "red")
SPEC = InputSpec(32, 32, "crop")
DRAFT = OutputSpec(LABELS, 1.0, None)


VALIDATION = (np.arange(60, dtype=np.float32).reshape(20, 3), np.full(20, 2))


def test_shares_are_measured_on_pictures_that_did_not_set_the_threshold() -> None:
    test = np.array([[0, 0, 1], [0, 0, 50], [0, 0, 60], [0, 0, 70]], np.float32)
    others = np.array([[0, 0, 4], [0, 0, 90]], np.float32)
    rule = fit_output(DRAFT, "max_logit", VALIDATION, (test, np.full(4, 2)), others).reject
    assert rule is not None
    assert rule.threshold == 5.0  # the second of twenty: 95 % are at or above it
    assert (rule.known_accept_rate, rule.n_known) == (0.75, 4)
    assert (rule.ood_reject_rate, rule.n_ood) == (0.5, 2)


def test_without_others_nothing_is_claimed_about_them() -> None:
    rule = fit_output(DRAFT, "energy", VALIDATION, VALIDATION, None).reject
    assert rule is not None
    assert (rule.ood_reject_rate, rule.n_ood) == (None, 0)


def test_the_rule_is_fitted_on_known_labels_and_pictures_of_nothing_count_as_others() -> None:
    draft = OutputSpec(LABELS, 1.0, None, blank_labels=("blue",), unknown_labels=("green",))
    known = np.array([[0, 0, score] for score in range(1, 21)], np.float32)
    nothing = np.array([[50, 0, 0]] * 30, np.float32)
    validation = np.concatenate([known, nothing]), np.repeat([2, 0], [20, 30])
    test = np.array([[0, 0, 9], [90, 0, 9], [0, 0, 1], [0, 70, 0], [0, 0, 8]], np.float32)
    output = fit_output(draft, "max_logit", validation, (test, np.array([2, 2, 2, 1, 0])), None)
    rule = output.reject
    assert rule is not None
    assert rule.threshold == 2.0  # the second of the twenty known ones
    assert (rule.known_accept_rate, rule.n_known) == (pytest.approx(1 / 3), 3)  # one is "nothing", one too low
    assert (rule.ood_reject_rate, rule.n_ood) == (0.5, 2)
    assert (output.blank_labels, output.unknown_labels) == (("blue",), ("green",))


def test_the_temperature_follows_the_logits_of_the_file() -> None:
    random = np.random.default_rng(2)
    logits = random.normal(0, 2, (400, 3)).astype(np.float32)
    class_ids = (logits + random.gumbel(size=(400, 3))).argmax(axis=1)
    first = fit_output(DRAFT, "max_logit", (logits, class_ids), (logits, class_ids), None)
    second = fit_output(DRAFT, "max_logit", (logits * 2, class_ids), (logits, class_ids), None)
    assert first.temperature == pytest.approx(1.0, abs=0.2)
    assert second.temperature == pytest.approx(2 * first.temperature, rel=1e-4)


def test_the_score_of_the_run_is_used(tiny: Any) -> None:
    run = read_run(tiny.path)
    assert choose_score(run) == "energy"
    assert choose_score(replace(run, metrics={})) == "max_logit"
    with pytest.raises(ExportError, match=r"reject.score is 'magic', expected one of max_logit"):
        choose_score(replace(run, metrics={"reject": {"score": "magic"}}))


def test_others_are_the_half_that_training_did_not_choose_by(tiny: Any, tmp_path: Path) -> None:
    picture = (tiny.data / "red" / "test-0.png").read_bytes()
    for name in ("things/a.png", "things/b.png", "things/c.png", "things/d.png", "animals/a.png", "animals/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(picture)
    (tmp_path / "things" / "bb.png").write_bytes(picture[:50])
    (tmp_path / "things" / "notes.txt").write_text("no picture")
    found, unreadable = find_ood_images(tmp_path, SPEC)
    assert sorted(str(path.relative_to(tmp_path)) for path in found) == [
        "animals/b.png",
        "things/b.png",
        "things/d.png",
    ]
    assert unreadable == 1


def test_others_that_training_was_shown_are_not_measured_on_wherever_they_lie_now(tiny: Any, tmp_path: Path) -> None:
    for number, name in enumerate("abcd"):
        (tmp_path / f"{name}.png").write_bytes((tiny.data / "red" / f"test-{number % 2}.png").read_bytes())
    digest = hashlib.sha256((tmp_path / "b.png").read_bytes()).hexdigest()
    (tmp_path / "d.png").write_bytes((tiny.data / "blue" / "test-0.png").read_bytes())

    found, _ = find_ood_images(tmp_path, SPEC, learned=frozenset({digest}))

    assert [path.name for path in found] == ["d.png"]


def test_a_missing_or_empty_folder_of_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no such folder"):
        find_ood_images(tmp_path / "nowhere", SPEC)
    with pytest.raises(ExportError, match="no two readable pictures"):
        find_ood_images(tmp_path, SPEC)
