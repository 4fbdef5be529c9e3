"""What ``trailcam watch`` prints; the memory that it needs does not grow with the number of frames."""

import json
from collections import Counter, deque
from pathlib import Path
from types import TracebackType
from typing import Self

from trailcam.commands.json_records import answer_record, blind_record, visit_record
from trailcam_core.classifier import Classification
from trailcam_edge.events import BlindTime, Moment, Visit
from trailcam_edge.recognition.observation import Happening, Observation
from trailcam_edge.recognition.sightings import Sighting, extend_sightings
from trailcam_edge.sources import Frame

__all__ = ["JsonOutput", "TextOutput", "frame_record"]

_BAR_CHARACTERS = 20
_LATENCIES = 10_000  # newest ones that the median is made of
_SIGHTINGS = 1_000  # newest ones that are listed


class JsonOutput:
    """One JSON object per line."""

    def __init__(self, visits_only: bool) -> None:
        self._visits_only = visits_only

    def show(self, happening: Happening) -> None:
        """Print it; frames that the motion gate kept back are not worth a line."""
        if isinstance(happening, Visit):
            record = visit_record(happening)
        elif isinstance(happening, BlindTime):
            record = blind_record(happening)
        elif happening.answer is None or self._visits_only:
            return
        else:
            record = frame_record(happening, happening.answer)
        print(json.dumps(record, ensure_ascii=False), flush=True)

    def __enter__(self) -> Self:
        """Nothing comes before the first line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing comes after the last."""


class TextOutput:
    """A line per frame and visit; at the end, however it comes, what was seen."""

    def __init__(self, visits_only: bool) -> None:
        self._visits_only = visits_only
        self._frames = 0
        self._unknown = 0
        self._worst_ms = 0.0
        self._dropped = 0
        self._latencies_ms: deque[float] = deque(maxlen=_LATENCIES)
        self._sightings: deque[Sighting] = deque(maxlen=_SIGHTINGS)
        self._sighting_count = 0
        self._previous: str | None = None
        self._visits: Counter[str] = Counter()

    def show(self, happening: Happening) -> None:
        """Print it and remember what the summary needs."""
        if isinstance(happening, Visit):
            self._visits[happening.label] += 1
            print(_visit_line(happening), flush=True)
        elif isinstance(happening, BlindTime):
            seconds = happening.ended.monotonic_s - happening.started.monotonic_s
            print(f"       blind for {seconds:.1f} s: {happening.reason}", flush=True)
        elif happening.answer is not None:
            self._count(happening.frame, happening.answer)
            self._dropped = happening.dropped
            if not self._visits_only:
                print(_frame_line(happening, happening.answer), flush=True)

    def _count(self, frame: Frame, answer: Classification) -> None:
        self._frames += 1
        self._unknown += answer.label is None
        self._worst_ms = max(self._worst_ms, answer.latency_ms)
        self._latencies_ms.append(answer.latency_ms)
        begun = extend_sightings(self._sightings, self._previous, frame.sequence, answer.label, answer.confidence)
        self._sighting_count += begun
        self._previous = answer.label

    def __enter__(self) -> Self:
        """Nothing comes before the first line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print the summary, also after Ctrl-C."""
        if not self._frames:
            return
        print(
            f"\n{self._frames} frames: {self._sighting_count} sightings, and {self._unknown} frames with nothing known "
            "in them."
        )
        if self._visits:
            counts = ", ".join(f"{label} {count}" for label, count in self._visits.most_common())
            print(f"{self._visits.total()} visits: {counts}.")
        else:
            self._print_sightings()
        latencies_ms = sorted(self._latencies_ms)
        middle_ms = latencies_ms[len(latencies_ms) // 2]
        dropped = f" {self._dropped} frames came while the model was busy." if self._dropped else ""
        print(f"Latency per frame: p50 {middle_ms:.1f} ms, worst {self._worst_ms:.1f} ms.{dropped}")

    def _print_sightings(self) -> None:
        for sighting in self._sightings:
            frames = "frame" if sighting.frames == 1 else "frames"
            print(f"  {sighting.label:<14} {sighting.frames:>4} {frames:<7} best confidence {sighting.confidence:.0%}")


def _frame_line(observation: Observation, answer: Classification) -> str:
    label = answer.label or "-"
    bar = "█" * round(answer.confidence * _BAR_CHARACTERS) if answer.label else ""
    share = f"{answer.confidence:.0%}" if answer.label else ""
    return (
        f"{observation.frame.sequence:>5}  {label:<14} {share:>4} {bar:<{_BAR_CHARACTERS}} {answer.latency_ms:>7.1f} ms"
        f" {observation.rate_hz:>6.1f} frames/s  {Path(observation.frame.name).name}"
    )


def _visit_line(visit: Visit) -> str:
    stayed_s = visit.ended.monotonic_s - visit.started.monotonic_s
    return (
        f"       visit: {visit.label}, {_time_of_day(visit.started)} for {stayed_s:.1f} s, {visit.frames} frames, "
        f"best confidence {visit.confidence:.0%}"
    )


def _time_of_day(moment: Moment) -> str:
    if moment.wall is None:
        return f"{moment.monotonic_s:.0f} s after the start of the machine"
    return moment.wall.isoformat(sep=" ", timespec="seconds")


def frame_record(observation: Observation, answer: Classification) -> dict[str, object]:
    """Return the JSON object of a frame and its answer."""
    frame = observation.frame
    record = {"sequence": frame.sequence, "frame": frame.name, "timestamp_s": round(frame.timestamp_s, 6)}
    live = {"age_ms": round(observation.age_ms, 1), "dropped": observation.dropped} if observation.age_ms else {}
    return record | answer_record(answer) | {"outcome": observation.outcome} | live
