"""A comparison of two runs for people, as lines for a terminal, and for programs, as a record for JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from trailcam_core.report.tables import text_table
from trailcam_core.statistics.wilson import wilson_interval
from trailcam_train.comparison.compare import Comparison, RunSummary
from trailcam_train.comparison.paired_predictions import ClassDelta, Estimate, PairedResult
from trailcam_train.comparison.test_sets import TestSet

_ALPHA = 0.05  # of the verdict
_UNKNOWN = "unknown"
_TOP5 = "top-5"
_SHORT_S = 90  # a training time below is printed in seconds


def render_comparison(comparison: Comparison) -> str:
    """Return the comparison as lines: warnings, cost, settings that differ, figures, and the paired test."""
    first, second = comparison.first, comparison.second
    rows = [
        ("", first.name, second.name),
        *((title, show(first), show(second)) for title, show in _COSTS),
        *((item.key, item.first or "-", item.second or "-") for item in comparison.differences),
        ("", "", ""),
        ("own test pictures", f"{first.n:,}", f"{second.n:,}"),
        *((title, show(first), show(second)) for title, show in _FIGURES if _is_known(title, first, second)),
    ]
    lines = [f"WARNING  {text}" for text in comparison.warnings]
    lines += [""] if lines else []
    sets = [line for item in comparison.test_sets for line in ("", *_test_set_lines(item, first.name, second.name))]
    return "\n".join([*lines, *text_table(rows), "", *_pairing_lines(comparison), *sets])


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain tables, lists, texts and numbers."""
    return asdict(comparison)


def _pairing_lines(comparison: Comparison) -> list[str]:
    pairing, first, second = comparison.pairing, comparison.first.name, comparison.second.name
    rows = [("class", "pictures", first, second, "delta, points", "95 % interval")]
    rows += [
        (item.label, f"{item.n:,}", f"{item.first:.1%}", f"{item.second:.1%}", *_points(item.delta))
        for item in pairing.classes
    ]
    delta, interval = _points(pairing.delta)
    return [
        f"The same {pairing.n:,} test pictures, answered by both",
        f"  both right {pairing.both:,}, both wrong {pairing.neither:,}",
        f"  only {first} right {pairing.only_first:,}, only {second} right {pairing.only_second:,}",
        f"  {second} minus {first}: {delta} points (95 % interval {interval}), exact McNemar p = {_p(pairing.p_value)}",
        f"  {_verdict(pairing, first, second)}",
        "",
        "Recall on these pictures",
        *(f"  {line}" for line in text_table(rows)),
        f"Each interval is for its class alone: of {len(pairing.classes)}, one in twenty leaves out its true value.",
    ]


def _test_set_lines(item: TestSet, first: str, second: str) -> list[str]:
    """Return what was won and lost on one test set: in all, and the labels whose interval leaves out zero."""
    pairing = item.pairing
    delta, interval = _points(pairing.delta)
    won = [item for item in pairing.classes if item.delta.low > 0]
    lost = [item for item in pairing.classes if item.delta.high < 0]
    return [
        f"On {item.name}, {pairing.n:,}",
        f"  {first} right {_right(pairing.both + pairing.only_first, pairing.n)}",
        f"  {second} right {_right(pairing.both + pairing.only_second, pairing.n)}",
        f"  {second} minus {first}: {delta} points (95 % interval {interval}), exact McNemar p = {_p(pairing.p_value)}",
        f"  {_verdict(pairing, first, second)}",
        f"  won   {_named(won)}",
        f"  lost  {_named(lost)}",
    ]


def _right(count: int, n: int) -> str:
    low, high = wilson_interval(count, n)
    return f"{count:,}: {count / n:.1%} ({low:.1%} to {high:.1%})"


def _named(classes: Sequence[ClassDelta]) -> str:
    return ", ".join(f"{c.label} {' ('.join(_points(c.delta))})" for c in classes) or "no label beyond its interval"


def _verdict(pairing: PairedResult, first: str, second: str) -> str:
    if pairing.p_value >= _ALPHA:
        return "No difference is shown: a difference of this size can be random."
    better = second if pairing.delta.value > 0 else first
    return f"{better} is better: at equal accuracy so large a difference would be rare."


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def _points(figure: Estimate) -> tuple[str, str]:
    return f"{100 * figure.value:+.1f}", f"{100 * figure.low:+.1f} to {100 * figure.high:+.1f}"


def _is_known(title: str, first: RunSummary, second: RunSummary) -> bool:
    """Return whether a figure has a row: top-5 has none if neither run has more than five labels."""
    return title != _TOP5 or first.top5 is not None or second.top5 is not None


def _share(figure: Estimate | None) -> str:
    return f"{figure.value:.1%} ({figure.low:.1%} to {figure.high:.1%})" if figure else _UNKNOWN


def _plain(figure: Estimate) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _epochs(side: RunSummary) -> str:
    if side.epochs is None:
        return _UNKNOWN
    return f"{side.epochs:,}" + (f" (best {side.best_epoch:,})" if side.best_epoch is not None else "")


def _duration(side: RunSummary) -> str:
    if side.training_s is None:
        return _UNKNOWN
    minutes = round(side.training_s / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{side.training_s:.0f} s" if side.training_s < _SHORT_S else f"{minutes} min"


_Shows = tuple[tuple[str, Callable[[RunSummary], str]], ...]  # title of a line, and its text for a run
_COSTS: _Shows = (
    ("model.keras", lambda side: f"{side.model_bytes / 1e6:.1f} MB"),
    ("epochs", _epochs),
    ("training time", _duration),
)
_FIGURES: _Shows = (
    ("top-1", lambda side: _share(side.top1)),
    (_TOP5, lambda side: _share(side.top5)),
    ("macro-F1", lambda side: _plain(side.macro_f1)),
    ("calibration error", lambda side: _plain(side.calibration_error)),
)
