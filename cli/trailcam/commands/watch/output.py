"""Output of ``trailcam watch``; its memory does not grow with the number of frames."""

from collections import Counter, deque
from collections.abc import MutableSequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trailcam.json_records import answer_record, json_line
from trailcam_core.classifier import Classification
from trailcam_core.files.names import counted, printable
from trailcam_edge.events import BlindTime, Moment, SuppressedVisit, Visit, VisitChange, is_recording
from trailcam_edge.recognition.frame_result import FrameResult, WatchEvent
from trailcam_edge.sources import Frame
from trailcam_edge.store.records import blind_json, box_json, event_json, unstored_blind_time, unstored_event

_BAR_CHARACTERS = 20
_MAX_LATENCIES = 10_000  # the median is that of the newest
_MAX_RUNS = 1_000  # the newest are listed


@dataclass(frozen=True)
class LabelRun:
    """Consecutive frames with one label: sequence numbers of the first and last, and the best confidence in 0..1."""

    label: str
    first: int
    last: int
    frames: int
    confidence: float


def extend_runs(
    runs: MutableSequence[LabelRun], previous: str | None, sequence: int, label: str | None, confidence: float
) -> bool:
    """Add a frame to the end of ``runs``; return True if it begins a run.

    Args:
        runs: changed; must hold the last run, older ones may be missing.
        previous: label of the frame before, None for "unknown" or no frame.
        sequence: of this frame.
        label: of this frame; None for "unknown", which ends a run.
        confidence: of this frame.
    """
    if label is None:
        return False
    if label == previous:
        last = runs[-1]
        runs[-1] = LabelRun(label, last.first, sequence, last.frames + 1, max(last.confidence, confidence))
        return False
    runs.append(LabelRun(label, sequence, sequence, 1, confidence))
    return True


class JsonOutput:
    """One JSON object per line: frames, and visits and blind times with ``event``."""

    def __init__(self, visits_only: bool) -> None:
        self._visits_only = visits_only

    def show(self, event: WatchEvent) -> None:
        """Print an event; frames without an answer are omitted."""
        record: dict[str, Any]
        if isinstance(event, Visit):
            record = {"event": "visit"} | event_json(unstored_event(event))
        elif isinstance(event, BlindTime):
            record = {"event": "blind"} | blind_json(unstored_blind_time(event))
        elif isinstance(event, VisitChange):
            record = {"event": event.kind} | event_json(unstored_event(event.visit))
        elif isinstance(event, SuppressedVisit):
            record = {"event": "suppressed", "label": event.label, "reason": event.reason}
        elif event.answer is None or self._visits_only:
            return
        else:
            record = frame_record(event, event.answer)
        print(json_line(record), flush=True)

    def __enter__(self) -> Self:
        """Print nothing before the first line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print nothing after the last line."""


class TextOutput:
    """A line per frame and visit, and a summary at the end, also after an interruption."""

    def __init__(self, visits_only: bool) -> None:
        self._visits_only = visits_only
        self._frames = 0
        self._unknown = 0
        self._worst_ms = 0.0
        self._dropped = 0
        self._latencies_ms: deque[float] = deque(maxlen=_MAX_LATENCIES)
        self._runs: deque[LabelRun] = deque(maxlen=_MAX_RUNS)
        self._run_count = 0
        self._previous: str | None = None
        self._visits: Counter[str] = Counter()

    def show(self, event: WatchEvent) -> None:
        """Print an event and count it for the summary."""
        if isinstance(event, Visit):
            self._visits[event.label] += 1
            print(_visit_line(event), flush=True)
        elif isinstance(event, BlindTime):
            seconds = event.ended.monotonic_s - event.started.monotonic_s
            print(f"       blind for {seconds:.1f} s: {event.reason}", flush=True)
        elif isinstance(event, SuppressedVisit):
            print(f"       no visit: {printable(event.label)} is {event.reason}", flush=True)
        elif isinstance(event, VisitChange):
            return  # the visit follows when it ends
        elif event.answer is not None:
            self._count(event.frame, event.answer)
            self._dropped = event.dropped
            if not self._visits_only:
                print(_frame_line(event, event.answer), flush=True)

    def _count(self, frame: Frame, answer: Classification) -> None:
        self._frames += 1
        self._unknown += answer.label is None
        self._worst_ms = max(self._worst_ms, answer.latency_ms)
        self._latencies_ms.append(answer.latency_ms)
        self._run_count += extend_runs(self._runs, self._previous, frame.sequence, answer.label, answer.confidence)
        self._previous = answer.label

    def __enter__(self) -> Self:
        """Print nothing before the first line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print the summary, also after Ctrl-C."""
        if not self._frames:
            return
        print(
            f"\n{counted(self._frames, 'frame')}: {counted(self._run_count, 'sighting')}, and "
            f"{counted(self._unknown, 'frame')} without a known label."
        )
        if self._visits:
            counts = ", ".join(f"{printable(label)} {count}" for label, count in self._visits.most_common())
            print(f"{counted(self._visits.total(), 'visit')}: {counts}.")
        else:
            self._print_runs()
        latencies_ms = sorted(self._latencies_ms)
        middle_ms = latencies_ms[len(latencies_ms) // 2]
        dropped = f" Dropped while the model was busy: {counted(self._dropped, 'frame')}." if self._dropped else ""
        print(f"Latency per frame: p50 {middle_ms:.1f} ms, worst {self._worst_ms:.1f} ms.{dropped}")

    def _print_runs(self) -> None:
        for run in self._runs:
            frames = "frame" if run.frames == 1 else "frames"
            print(f"  {printable(run.label):<14} {run.frames:>4} {frames:<7} best confidence {run.confidence:.0%}")


def _frame_line(result: FrameResult, answer: Classification) -> str:
    label = printable(answer.label or "-")
    bar = "█" * round(answer.confidence * _BAR_CHARACTERS) if answer.label else ""
    share = f"{answer.confidence:.0%}" if answer.label else ""
    return (
        f"{result.frame.sequence:>5}  {label:<14} {share:>4} {bar:<{_BAR_CHARACTERS}} {answer.latency_ms:>7.1f} ms"
        f" {result.rate_hz:>6.1f} frames/s  {printable(Path(result.frame.name).name)}"
    )


def _visit_line(visit: Visit) -> str:
    stayed_s = visit.ended.monotonic_s - visit.started.monotonic_s
    return (
        f"       visit: {printable(visit.label)}, {_time_of_day(visit.started)} for {stayed_s:.1f} s, "
        f"{counted(visit.frames, 'frame')}, best confidence {visit.confidence:.0%}"
    )


def _time_of_day(moment: Moment) -> str:
    if is_recording(moment.boot_id):
        return f"{moment.monotonic_s:.0f} s after the start of the recording"
    if moment.wall is None:
        return f"{moment.monotonic_s:.0f} s after the start of the machine"
    return moment.wall.isoformat(sep=" ", timespec="seconds")


def frame_record(result: FrameResult, answer: Classification | None) -> dict[str, Any]:
    """Return the JSON object of a frame and its answer; without one if nothing moved."""
    frame = result.frame
    record = {"sequence": frame.sequence, "frame": frame.name, "timestamp_s": round(frame.timestamp_s, 6)}
    live = {"age_ms": round(result.age_ms, 1), "dropped": result.dropped} if result.age_ms else {}
    place = {} if result.box is None else {"box": box_json(result.box)}
    answered = {} if answer is None else answer_record(answer)
    return record | answered | {"outcome": result.outcome} | place | live
