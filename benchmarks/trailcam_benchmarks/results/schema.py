"""The result of a benchmark: the records of ``benchmark.json``.

``docs/benchmarks.md`` describes the file. A field is added without a new schema version; one that changes its meaning
needs the next.
"""

import functools
import json
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from trailcam_benchmarks.host.machine import Condition, Machine
from trailcam_benchmarks.statistics import Ratio
from trailcam_benchmarks.worker.soak import Sample, SoakSummary
from trailcam_core.errors import DataError
from trailcam_core.files.atomic import write_file

SCHEMA_VERSION = 1
_JUDGED = ("ai-edge-litert", "onnxruntime")  # the runtimes on which an export tests the files whose scores it states
_MAX_BYTES = 100_000_000


@dataclass(frozen=True)
class Latency:
    """Frame in memory to answer, over all frames after warm-up, in milliseconds.

    ``percentiles_ms`` are the 0th to 100th percentile. ``round_p50_ms`` is the median of each round, ``round_p90_ms``
    its 90th percentile (empty in older files); round i of one row ran beside round i of the others. An end of the
    interval is None if there are too few frames for it.
    """

    frames: int
    p50_ms: float
    p90_ms: float
    p90_low_ms: float | None
    p90_high_ms: float | None
    p99_ms: float
    worst_ms: float
    percentiles_ms: tuple[float, ...]
    round_p50_ms: tuple[float, ...]
    round_p90_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Memory:
    """Resident memory of the process in megabytes: before the model was opened, after a round, at most since opened."""

    empty_mb: float
    steady_mb: float
    peak_mb: float


@dataclass(frozen=True)
class Reference:
    """Another row of the same run, with as many threads: the digest of its model file, its scheme and its runtime."""

    sha256: str
    scheme: str
    runtime: str


@dataclass(frozen=True)
class Accuracy:
    """Predictions on ``--data``: fractions with 95 % Wilson intervals.

    Agreement is with the predictions of ``agreement_with``, float32 of the same network and run, see
    ``ratios.find_original``.
    """

    n: int
    unreadable: int
    top1: float
    top1_low: float
    top1_high: float
    agreement: float | None
    agreement_low: float | None
    agreement_high: float | None
    agreement_with: Reference | None = None


@dataclass(frozen=True)
class Row:
    """One bundle with one number of threads (``kind`` is ``model``), or its baseline (``kind`` is ``floor``).

    ``state`` is ``measured``, ``partial`` (some rounds are missing) or ``failed``; ``reason`` explains the last two, or
    a missing accuracy. Unknown values of a failed row are None or empty. ``stages_ms`` are medians, ``rate_hz`` frames
    per second of the whole loop with decoding. ``runtime_wanted`` is empty for the installed interpreter.
    ``source_sha256`` is the digest of the Keras model the file was converted from, empty if unknown. The references of
    the ratios are in the module ``ratios``; a ratio is None if the row is its own reference or has none.
    """

    bundle: str
    kind: str
    threads: int
    state: str
    reason: str = ""
    name: str = ""
    scheme: str = ""
    runtime: str = ""
    sha256: str = ""
    size_bytes: int | None = None
    stated_top1: float | None = None
    load_ms: float | None = None
    first_ms: float | None = None
    latency: Latency | None = None
    stages_ms: dict[str, float] | None = None
    rate_hz: float | None = None
    memory: Memory | None = None
    over_float32: Ratio | None = None
    over_floor: Ratio | None = None
    accuracy: Accuracy | None = None
    runtime_wanted: str = ""
    source_sha256: str = ""
    float32_reference: Reference | None = None
    over_litert: Ratio | None = None
    litert_reference: Reference | None = None

    @property
    def package(self) -> str:
        """Return the runtime without its version."""
        return self.runtime.split(" ")[0]

    @property
    def reference(self) -> Reference:
        """Return the reference by which other rows name this one."""
        return Reference(self.sha256, self.scheme, self.runtime)

    @property
    def stated_here(self) -> float | None:
        """Return the accuracy in the manifest; None on a runtime for which the export does not test it."""
        return self.stated_top1 if self.package in _JUDGED else None


@dataclass(frozen=True)
class Soak:
    """A long run of one bundle. ``complete`` is False if it was interrupted; the samples until then are kept.

    ``start`` is the condition just before, ``runtime`` the interpreter with its version, empty if nothing ran.
    """

    bundle: str
    threads: int
    complete: bool
    reason: str
    summary: SoakSummary | None
    samples: tuple[Sample, ...]
    start: Condition | None = None
    runtime: str = ""


@dataclass(frozen=True)
class Result:
    """A whole run. ``complete`` is False if it was interrupted, and ``cut`` is the reason.

    ``host`` is the machine's name if it was measured over SSH.
    """

    started: str
    complete: bool
    machine: Machine
    before: Condition
    after: Condition
    frames_wanted: int
    min_time_s: float
    rounds: int
    rows: tuple[Row, ...]
    soaks: tuple[Soak, ...] = ()
    cut: str = ""
    host: str | None = None
    schema_version: int = SCHEMA_VERSION


def write_result(path: Path, result: Result) -> None:
    """Write ``benchmark.json`` in one step.

    Raises:
        OSError: the disk is full or read-only.
    """
    write_file(path, to_text(result))


def to_text(record: Any) -> bytes:
    """Return a record of this package as the bytes of its JSON file, with one line per row of a list."""
    dump = functools.partial(json.dumps, sort_keys=True, allow_nan=False, ensure_ascii=False)
    fields = []
    for name, value in sorted(asdict(record).items()):
        rows = ",\n  ".join(map(dump, value)) if isinstance(value, tuple | list) else ""
        fields.append(f" {dump(name)}: [\n  {rows}\n ]" if rows else f" {dump(name)}: {dump(value)}")
    return ("{\n" + ",\n".join(fields) + "\n}\n").encode()


def read_result(path: Path) -> Result:
    """Read all records of a ``benchmark.json``.

    Raises:
        DataError: not such a file, of another schema version, or damaged.
    """
    content = read_earlier(path)
    try:
        result: Result = build(Result, content)
    except (TypeError, KeyError, ValueError) as error:
        raise DataError(f"{path}: damaged or of another version of Trailcam ({error}). Make the file again.") from error
    return result


def build(kind: Any, value: Any) -> Any:
    """Return a value of a type hint from JSON: records, tuples of records, or None; unknown keys are ignored."""
    if get_origin(kind) in (UnionType, Union):
        kinds = [other for other in get_args(kind) if other is not NoneType]
        return None if value is None else build(kinds[0], value)
    if get_origin(kind) is tuple:
        return tuple(build(get_args(kind)[0], item) for item in value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{key: build(hints[key], item) for key, item in value.items() if key in hints})
    return value


def read_record(path: Path) -> dict[str, Any]:
    """Read the JSON object of a result file.

    Raises:
        DataError: the file has no JSON object.
    """
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}). Measure it again.") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: a {type(found).__name__}, expected the record of a measurement. Measure it again.")
    return found


def read_earlier(path: Path) -> dict[str, Any]:
    """Read the part of an earlier ``benchmark.json`` that a comparison needs: ``machine`` and measured ``rows``.

    Raises:
        DataError: not such a file, or of another schema version.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path}: more than {_MAX_BYTES:,} bytes, expected a benchmark.json. It was not read.")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}). Expected a benchmark.json of an earlier run.") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema_version is {version!r}, expected {SCHEMA_VERSION}. "
            'Name a benchmark.json, or make it again with "trailcam benchmark BUNDLE --out DIR".'
        )
    rows, machine = content.get("rows"), content.get("machine")
    if not isinstance(machine, dict) or not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise DataError(f"{path}: machine or rows are missing or damaged. Make the file again.")
    return dict(content)


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("name", "scheme", "runtime")):
        return False
    if not isinstance(row.get("threads"), int) or row.get("kind") not in ("model", "floor"):
        return False
    latency = row.get("latency")
    if latency is None:
        return True
    rounds = latency.get("round_p50_ms") if isinstance(latency, dict) else None
    return isinstance(rounds, list) and all(isinstance(value, float | int) and value > 0 for value in rounds)
