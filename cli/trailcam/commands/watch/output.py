"""Output of ``trailcam watch``; its memory does not grow with the number of frames."""

from collections import Counter, deque
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trailcam.json_records import answer_record, json_line
from trailcam_core.classifier import Classification
from trailcam_core.files.names import counted, printable
from trailcam_edge.events import (
    BlindTime,
    Moment,
    SuppressedVisit,
    Visit,
    VisitChange,
    is_recording,
    stated_confidence,
)
from trailcam_edge.recognition.frame_result import FrameResult, WatchEvent
from trailcam_edge.store.records import blind_json, box_json, event_json, unstored_blind_time, unstored_event

_BAR_CHARACTERS = 20
_MAX_LATENCIES = 10_000  # the median is that of the newest


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
        self._unknown = 0
        self._blank = 0
        self._still = 0
        self._paused = 0
        self._worst_ms = 0.0
        self._dropped = 0
        self._latencies_ms: deque[float] = deque(maxlen=_MAX_LATENCIES)
        self._frames: Counter[str] = Counter()
        self._best: dict[str, float] = {}
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
        elif event.answer is None:
            self._paused += event.paused
            self._still += not event.paused
        else:
            self._count(event.answer)
            self._dropped = event.dropped
            if not self._visits_only:
                print(_frame_line(event, event.answer), flush=True)

    def _count(self, answer: Classification) -> None:
        self._worst_ms = max(self._worst_ms, answer.latency_ms)
        self._latencies_ms.append(answer.latency_ms)
        if answer.label is None:
            self._blank += answer.blank
            self._unknown += not answer.blank
        else:
            self._frames[answer.label] += 1
            self._best[answer.label] = max(self._best.get(answer.label, 0.0), answer.confidence)

    def __enter__(self) -> Self:
        """Print nothing before the first line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print the summary, also after Ctrl-C."""
        if not self._latencies_ms:
            return
        print("\n" + self._frames_line())
        if self._visits:
            counts = ", ".join(f"{printable(label)} {count}" for label, count in self._visits.most_common())
            print(f"{counted(self._visits.total(), 'visit')}: {counts}.")
        else:
            self._print_labels()
        latencies_ms = sorted(self._latencies_ms)
        middle_ms = latencies_ms[len(latencies_ms) // 2]
        dropped = f" Dropped while the model was busy: {counted(self._dropped, 'frame')}." if self._dropped else ""
        print(f"Latency per frame: p50 {middle_ms:.1f} ms, worst {self._worst_ms:.1f} ms.{dropped}")

    def _frames_line(self) -> str:
        named = self._frames.total()
        parts = [f"{named:,} named", f"{self._unknown:,} unknown"]
        if self._blank:
            parts.append(f"{self._blank:,} nothing")
        if self._still:
            parts.append(f"{self._still:,} without movement")
        if self._paused:
            parts.append(f"{self._paused:,} outside the hours of [schedule]")
        frames = named + self._unknown + self._blank + self._still + self._paused
        return f"{counted(frames, 'frame')}: {', '.join(parts)}."

    def _print_labels(self) -> None:
        for label, frames in self._frames.most_common():
            unit = "frame" if frames == 1 else "frames"
            print(f"  {printable(label):<14} {frames:>4} {unit:<7} best confidence {self._best[label]:.0%}")


def _frame_line(result: FrameResult, answer: Classification) -> str:
    label = printable(answer.label or ("nothing" if answer.blank else "unknown"))
    bar = "█" * round(answer.confidence * _BAR_CHARACTERS) if answer.label else ""
    share = f"{answer.confidence:.0%}" if answer.label else ""
    return (
        f"{result.frame.sequence:>5}  {label:<14} {share:>4} {bar:<{_BAR_CHARACTERS}} {answer.latency_ms:>7.1f} ms"
        f" {result.rate_hz:>6.1f} frames/s  {printable(Path(result.frame.name).name)}"
    )


def _visit_line(visit: Visit) -> str:
    stayed_s = visit.ended.monotonic_s - visit.started.monotonic_s
    stated = stated_confidence(visit.label, visit.confidence)
    best = "" if stated is None else f", best confidence {stated:.0%}"
    return (
        f"       visit: {printable(visit.label)}, {_time_of_day(visit.started)} for {stayed_s:.1f} s, "
        f"{counted(visit.frames, 'frame')}{best}"
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
