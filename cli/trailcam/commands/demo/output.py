"""Output of ``trailcam demo``: each answer beside the truth, mistakes marked and counted."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

from trailcam.commands.demo.material import Photograph, Sequence, Verdict, demo_labels, judge, judge_photograph
from trailcam.commands.watch.output import frame_record
from trailcam_core.classifier import Classification
from trailcam_core.files.names import counted
from trailcam_edge.events import NOTHING, UNKNOWN, Visit
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.store.records import event_json, unstored_event

_HEADINGS = {
    "animal": "Animals that the model knows:",
    "other": 'Other animals, for which "unknown" is the right answer:',
    "empty": 'Empty scenes, for which "nothing" and "unknown" are right:',
}
_VERDICT_TEXT = {"right": "right", "missed": "MISSED", "wrong": "WRONG", "unjudged": "?"}


@dataclass(frozen=True)
class _Answered:
    photograph: Photograph
    named: str | None
    confidence: float
    latency_ms: float
    verdict: Verdict
    silence: str = UNKNOWN  # the word for an answer without a name

    def mistake(self) -> str:
        answer = self.silence if self.named is None else f"{self.named} {self.confidence:.0%}"
        return f"  {self.photograph.shows:<20} answered {answer:<19} {self.photograph.file}"


class DemoOutput(Protocol):
    """Shows the photographs, then the sequence."""

    def photograph(self, photograph: Photograph, result: FrameResult, answer: Classification) -> None:
        """Show one photograph and its answer."""

    def photographs_end(self) -> None:
        """Sum up the photographs that were answered; after Ctrl-C these are not all."""

    def sequence_begin(self, sequence: Sequence) -> None:
        """Announce the sequence."""

    def frame(self, sequence: Sequence, result: FrameResult) -> None:
        """Show one frame of the sequence."""

    def visit(self, visit: Visit) -> None:
        """Show a visit that the live loop found in the sequence."""

    def sequence_end(self, sequence: Sequence) -> None:
        """Sum up the frames of the sequence that were answered."""


class _Counting:
    """The counts that both outputs need."""

    def __init__(self) -> None:
        self.answered: list[_Answered] = []
        self._known_labels = demo_labels()
        self.frames: Counter[tuple[bool, Verdict]] = Counter()  # whether the animal is there, and the verdict
        self.visits: Counter[str] = Counter()

    def count(self, photograph: Photograph, result: FrameResult, answer: Classification) -> _Answered:
        named = _named(result)
        verdict = judge_photograph(photograph, named, self._known_labels)
        silence = NOTHING if result.outcome == NOTHING else UNKNOWN
        answered = _Answered(photograph, named, answer.confidence, answer.latency_ms, verdict, silence)
        self.answered.append(answered)
        return answered

    def count_frame(self, sequence: Sequence, result: FrameResult) -> Verdict:
        expected = sequence.expected_at(result.frame.sequence)
        verdict = judge(expected, _named(result))
        self.frames[expected is not None, verdict] += 1
        return verdict

    def known(self, *verdicts: Verdict) -> list[_Answered]:
        return self._select(True, verdicts)

    def rest(self, *verdicts: Verdict) -> list[_Answered]:
        return self._select(False, verdicts)

    def _select(self, known: bool, verdicts: tuple[Verdict, ...]) -> list[_Answered]:
        found = [item for item in self.answered if (item.photograph.kind == "animal") == known]
        return [item for item in found if not verdicts or item.verdict in verdicts]


class DemoJson(_Counting):
    """One JSON object per photograph, frame and visit, and a summary at the end."""

    def photograph(self, photograph: Photograph, result: FrameResult, answer: Classification) -> None:
        """Print the answer with the truth."""
        answered = self.count(photograph, result, answer)
        truth = {"kind": photograph.kind, "shows": photograph.shows, "expected": photograph.expected}
        _print_json(frame_record(result, answer) | truth | {"verdict": answered.verdict})

    def photographs_end(self) -> None:
        """Print the counts."""
        verdicts: tuple[Verdict, ...] = ("right", "missed", "wrong", "unjudged")
        known = {verdict: len(self.known(verdict)) for verdict in verdicts}
        rest = {"count": len(self.rest()), "named": len(self.rest("wrong", "unjudged"))}
        _print_json({"event": "photographs", "animals": {"count": len(self.known())} | known, "others_and_empty": rest})

    def sequence_begin(self, sequence: Sequence) -> None:
        """Print nothing: each frame names its file."""

    def frame(self, sequence: Sequence, result: FrameResult) -> None:
        """Print the answer with the truth."""
        verdict = self.count_frame(sequence, result)
        truth = {"expected": sequence.expected_at(result.frame.sequence), "verdict": verdict}
        _print_json(frame_record(result, result.answer) | truth)

    def visit(self, visit: Visit) -> None:
        """Print the visit."""
        self.visits[visit.label] += 1
        _print_json({"event": "visit"} | event_json(unstored_event(visit)))

    def sequence_end(self, sequence: Sequence) -> None:
        """Print the counts."""
        with_animal = {verdict: self.frames[True, verdict] for verdict in ("right", "missed", "wrong")}
        empty = {"right": self.frames[False, "right"], "named": self.frames[False, "wrong"]}
        counts = {"frames_with_animal": with_animal, "frames_without": empty, "visits": dict(self.visits)}
        _print_json({"event": "sequence", "frame": sequence.file, "expected": sequence.expected} | counts)


class DemoText(_Counting):
    """A line per photograph and a character per frame, for a terminal of 100 columns."""

    def __init__(self) -> None:
        super().__init__()
        self._heading = ""
        self._rate_hz = 0.0
        self._visit_lines: list[str] = []

    def photograph(self, photograph: Photograph, result: FrameResult, answer: Classification) -> None:
        """Print the truth, the answer and how good it is."""
        item = self.count(photograph, result, answer)
        if self._heading != _HEADINGS[photograph.kind]:
            self._heading = _HEADINGS[photograph.kind]
            print(f"\n{self._heading}")
            print(f"  {'photograph of':<20} {'answer':<19} {'':<6}   {'latency':>7}   file")
        self._rate_hz = result.rate_hz
        named = item.silence if item.named is None else f"{item.named:<14} {item.confidence:>4.0%}"
        print(
            f"  {photograph.shows:<20} {named:<19} {_VERDICT_TEXT[item.verdict]:<6} {item.latency_ms:>6.1f} ms"
            f"   {photograph.file}",
            flush=True,
        )

    def photographs_end(self) -> None:
        """Print the counts, and every mistake once more."""
        if not self.answered:
            return
        known, missed, wrong = self.known(), self.known("missed"), self.known("wrong", "unjudged")
        right = len(known) - len(missed) - len(wrong)
        if known:
            print(f"\n{right} of {len(known)} animals named right, {len(missed)} unknown, {len(wrong)} wrong.")
        else:
            print("\nThe model has no label for any of these animals.")
        for item in (*missed, *wrong):
            print(item.mistake())
        named = self.rest("wrong", "unjudged")
        end = ":" if named else "."
        print(f"Of {len(self.rest())} other animals and empty scenes, {len(named)} were named{end}")
        for item in named:
            print(item.mistake())
        if self.known("unjudged") or self.rest("unjudged"):
            print('Answers with "?" above may be right: the demo has no photograph with that label to compare.')
        latencies_ms = sorted(item.latency_ms for item in self.answered)
        middle_ms, worst_ms = latencies_ms[len(latencies_ms) // 2], latencies_ms[-1]
        print(
            f"Latency per photograph: p50 {middle_ms:.1f} ms, worst {worst_ms:.1f} ms; "
            f"{self._rate_hz:.1f} photographs/s, decoding included."
        )

    def sequence_begin(self, sequence: Sequence) -> None:
        """Announce the sequence, and explain the characters."""
        print(f"\nA field sequence: {sequence.shows}; its height is {sequence.height_fraction:.0%} of the picture's.")
        print(f"It is composed of two of these photographs; {sequence.note}.")
        print("One character per frame:")
        if sequence.expected is not None:
            print(f"  #  {sequence.expected} in the picture, named    -  {sequence.expected} in the picture, not named")
        print("  .  nothing to name: nothing or unknown   X  another label\n\n  ", end="", flush=True)

    def frame(self, sequence: Sequence, result: FrameResult) -> None:
        """Print a character."""
        verdict = self.count_frame(sequence, result)
        there = sequence.expected_at(result.frame.sequence) is not None
        print({"right": "#" if there else ".", "missed": "-", "wrong": "X"}[verdict], end="", flush=True)

    def visit(self, visit: Visit) -> None:
        """Keep the line until the row of characters is complete."""
        self.visits[visit.label] += 1
        stayed_s = visit.ended.monotonic_s - visit.started.monotonic_s
        self._visit_lines.append(
            f"  {visit.label} for {stayed_s:.1f} s, {counted(visit.frames, 'frame')}, best confidence "
            f"{visit.confidence:.0%}"
        )

    def sequence_end(self, sequence: Sequence) -> None:
        """Print the counts and the visits."""
        there = {verdict: self.frames[True, verdict] for verdict in ("right", "missed", "wrong")}
        empty, named = self.frames[False, "right"] + self.frames[False, "wrong"], self.frames[False, "wrong"]
        print("\n")
        if not self.frames:
            return
        if sequence.expected is not None:
            print(
                f"Of {sum(there.values())} frames with the {sequence.expected}, {there['right']} were named right, "
                f"{there['missed']} unknown, {there['wrong']} another label."
            )
            print(f"Of {empty} frames without it, {named} were named.")
        else:
            print(f"The model has no label for this animal. Of {empty} frames, {named} were named.")
        expected = "none" if sequence.expected is None else f"1 ({sequence.expected})"
        end = ":" if self._visit_lines else "."
        print(f"Visits: expected {expected}, found {len(self._visit_lines)}{end}")
        for line in self._visit_lines:
            print(line)
        if sequence.expected is not None and not self.visits[sequence.expected]:
            print("A small animal in a wide scene is easily missed: move the camera closer, or use watch --roi.")


def _named(result: FrameResult) -> str | None:
    """Return the label that the live loop takes a frame for, None if there is none."""
    return None if result.outcome in (None, UNKNOWN, NOTHING) else result.outcome


def _print_json(record: dict[str, Any]) -> None:
    print(json.dumps(record, ensure_ascii=False), flush=True)
