"""What a row is to be compared with, in the same run and with as many threads; the same in whatever order bundles came.

    x float32   float32 of the same network on the same runtime    what quantising did
    x LiteRT    the same scheme of the same network on LiteRT      what the runtime did
    x floor     the bare loop on the same file and runtime         what Trailcam adds

Networks are the same if they were made from the same trained Keras model, by its digest; where a bundle does not state
that, if they have the same name and version. Where there is no such row the ratio is None: no other takes its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from trailcam_benchmarks.results.schema import Row
from trailcam_benchmarks.statistics import Ratio, paired_ratio
from trailcam_benchmarks.worker.keras_baseline import KERAS_WAYS

__all__ = ["find_original", "is_bundle", "with_ratios"]

_LITERT = "ai-edge-litert"


def with_ratios(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return rows with their ratios and with what these are to, from the medians of their rounds."""
    return tuple(_compared(row, rows) for row in rows)


def find_original(row: Row, rows: Sequence[Row]) -> int | None:
    """Return the number of the row whose answers this one's should agree with: float32 of its network on LiteRT.

    Where LiteRT has not run it, float32 on the row's own runtime; None where that is this row, or there is none.
    """
    number = _find(row, rows, lambda other: other.scheme == "float32" and other.package == _LITERT)
    if number is None:
        number = _find_float32(row, rows)
    return None if number is None or rows[number].reference == row.reference else number


def is_bundle(row: Row) -> bool:
    """Whether a row is a bundle, which could be shipped: not a floor, not a Keras model."""
    return row.kind == "model" and row.runtime_wanted not in KERAS_WAYS


def _compared(row: Row, rows: Sequence[Row]) -> Row:
    if row.kind != "model" or row.latency is None:
        return row
    float32 = _find_float32(row, rows)
    litert = _find(row, rows, lambda other: other.scheme == row.scheme and other.package == _LITERT)
    floors = [other for other in rows if other.kind == "floor" and _place(other) == _place(row)]
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
    """Return a bundle of the same network and threads that was measured and fits: ``row`` itself if it does."""
    found = [
        number
        for number, other in enumerate(rows)
        if is_bundle(other)
        and other.latency is not None
        and other.threads == row.threads
        and _is_same_network(other, row)
        and fits(other)
    ]
    # Of several, which are exports of one training, always the same one: by digest, as the order is an accident.
    return min(found, key=lambda number: (rows[number].reference != row.reference, rows[number].sha256), default=None)


def _is_same_network(one: Row, other: Row) -> bool:
    if one.source_sha256 and other.source_sha256:
        return one.source_sha256 == other.source_sha256
    return one.name == other.name


def _place(row: Row) -> tuple[str, str, str, int]:
    return row.bundle, row.sha256, row.runtime_wanted, row.threads


def _ratio(row: Row, other: Row) -> Ratio | None:
    """Return the ratio in the rounds that both have; None for a row to itself."""
    if row.latency is None or other.latency is None or (row.kind == other.kind and row.reference == other.reference):
        return None
    return paired_ratio(row.latency.round_p50_ms, other.latency.round_p50_ms)
