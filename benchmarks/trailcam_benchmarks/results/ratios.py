"""References of a row in the same run, with as many threads, independent of the order of the bundles.

    x float32   float32 of the same network on the same runtime    effect of the quantisation
    x LiteRT    the same scheme of the same network on LiteRT      effect of the runtime
    x floor     the raw loop on the same file and runtime          overhead of Trailcam

Networks are the same if they were converted from the same Keras model, by its digest; without a digest, if they have
the same name and version. Without such a row the ratio is None.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from trailcam_benchmarks.results.schema import Row
from trailcam_benchmarks.statistics import Ratio, paired_ratio
from trailcam_benchmarks.worker.keras_baseline import KERAS_WAYS

_LITERT = "ai-edge-litert"


def with_ratios(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows with their ratios and references, from the medians of their rounds."""
    return tuple(_compared(row, rows) for row in rows)


def find_original(row: Row, rows: Sequence[Row]) -> int | None:
    """Return the number of the row to compare predictions with: float32 of the same network on LiteRT.

    If LiteRT has not run it, float32 on the row's runtime; None if that is this row, or there is none.
    """
    number = _find(row, rows, lambda other: other.scheme == "float32" and other.package == _LITERT)
    if number is None:
        number = _find_float32(row, rows)
    return None if number is None or rows[number].reference == row.reference else number


def is_bundle(row: Row) -> bool:
    """Return True for a bundle, which could be shipped: neither a baseline nor a Keras model."""
    return row.kind == "model" and row.runtime_wanted not in KERAS_WAYS


def _compared(row: Row, rows: Sequence[Row]) -> Row:
    if row.kind != "model" or row.latency is None:
        return row
    float32 = _find_float32(row, rows)
    litert = _find(row, rows, lambda other: other.scheme == row.scheme and other.package == _LITERT)
    floors = [other for other in rows if other.kind == "floor" and _variant(other) == _variant(row)]
    return replace(
        row,
        over_float32=None if float32 is None else _ratio(row, rows[float32]),
        float32_reference=None if float32 is None else rows[float32].reference,
        over_litert=None if litert is None else _ratio(row, rows[litert]),
        litert_reference=None if litert is None else rows[litert].reference,
        over_floor=_ratio(row, floors[0]) if floors else None,
    )


def _find_float32(row: Row, rows: Sequence[Row]) -> int | None:
    return _find(row, rows, lambda other: other.scheme == "float32" and other.runtime == row.runtime)


def _find(row: Row, rows: Sequence[Row], fits: Callable[[Row], bool]) -> int | None:
    """Return a measured bundle of the same network and threads that matches; ``row`` itself if it does."""
    found = [
        number
        for number, other in enumerate(rows)
        if is_bundle(other)
        and other.latency is not None
        and other.threads == row.threads
        and _is_same_network(other, row)
        and fits(other)
    ]
    # Of several exports of one training choose by digest: the order of the bundles is arbitrary.
    return min(found, key=lambda number: (rows[number].reference != row.reference, rows[number].sha256), default=None)


def _is_same_network(one: Row, other: Row) -> bool:
    if one.source_sha256 and other.source_sha256:
        return one.source_sha256 == other.source_sha256
    return one.name == other.name


def _variant(row: Row) -> tuple[str, str, str, int]:
    return row.bundle, row.sha256, row.runtime_wanted, row.threads


def _ratio(row: Row, other: Row) -> Ratio | None:
    """Return the ratio in the rounds that both have; None for a row to itself."""
    if row.latency is None or other.latency is None or (row.kind == other.kind and row.reference == other.reference):
        return None
    return paired_ratio(row.latency.round_p50_ms, other.latency.round_p50_ms)
