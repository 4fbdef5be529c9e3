"""The bundle to ship: the most accurate of the fast enough ones, by comparable accuracies."""

from collections.abc import Sequence

from trailcam_benchmarks.results.ratios import is_bundle
from trailcam_benchmarks.results.schema import Row
from trailcam_core.files.names import counted


def known_top1(rows: Sequence[Row]) -> tuple[str, list[float | None]]:
    """Return the name of the accuracy, and its value for each row; the two kinds are never mixed.

    If any bundle was measured on ``--data`` only measured values count, else those in the manifests, which may be of
    different pictures.
    """
    if any(row.accuracy is not None for row in rows if is_bundle(row)):
        return "top-1", [None if row.accuracy is None else row.accuracy.top1 for row in rows]
    return "stated top-1", [row.stated_here for row in rows]


def best_within(rows: Sequence[Row], budget_ms: float) -> Row | None:
    """Return the most accurate complete bundle whose p90, with its interval, is within the budget; None if none is.

    If the interval has no upper end, the worst frame replaces it. A bundle without an accuracy comes last. Between
    equals the faster one is better. A Keras model is no bundle.
    """
    fitting = []
    for row, top1 in zip(rows, known_top1(rows)[1], strict=True):
        if is_bundle(row) and row.state == "measured" and row.latency is not None:
            high = row.latency.worst_ms if row.latency.p90_high_ms is None else row.latency.p90_high_ms
            if high <= budget_ms:
                fitting.append((-1.0 if top1 is None else top1, -row.latency.p90_ms, row))
    return max(fitting, key=lambda item: item[:2])[2] if fitting else None


def describe_budget(rows: Sequence[Row], budget_ms: float) -> tuple[str, bool]:
    """Return a sentence with the best bundle, runtime and threads, and whether there is one."""
    best = best_within(rows, budget_ms)
    if best is None or best.latency is None:
        return f"budget {budget_ms:g} ms: no measured bundle fits, with p90 and its interval.", False
    kind, known = known_top1(rows)
    top1 = known[list(rows).index(best)]
    accuracy = f"{kind} not known" if top1 is None else f"{kind} {top1:.1%}"
    return (
        f"budget {budget_ms:g} ms: {best.bundle} on {best.runtime} with {counted(best.threads, 'thread')} is the best "
        f"that fits, {accuracy}, p90 {best.latency.p90_ms:.1f} ms.",
        True,
    )
