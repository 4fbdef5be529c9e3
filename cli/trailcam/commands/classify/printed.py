"""``trailcam classify`` without a file for its rows: one answer after the other on standard output."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trailcam.json_records import answer_record, explained, named
from trailcam.streams import csv_text
from trailcam_archive.batch.clips import sample_clip
from trailcam_archive.batch.listing import Found, Shard, Skipped, list_files
from trailcam_archive.batch.photograph_formats import decode_in_child, is_foreign
from trailcam_archive.batch.references import is_address, read_reference, shown
from trailcam_core.classifier import Classification, Classifier
from trailcam_core.errors import SourceError
from trailcam_core.files.names import printable
from trailcam_core.images.boxes import Box
from trailcam_core.images.decode import decode_image
from trailcam_core.inference.decision import confidence_score

Show = Callable[[str, "Classification | SourceError"], None]


def print_answers(
    sources: list[str], classifier: Classifier, top_count: int, show: Show, shard: Shard, zoom: bool
) -> int:
    """Classify and show every file; return the number of those that could not be read.

    With ``zoom`` a picture is classified a second time if the whole names nothing.
    """
    failures = 0
    for name, found in _expand(sources, shard):
        answer: Classification | SourceError
        try:
            answer = found if isinstance(found, SourceError) else _classify(found, classifier, top_count, zoom)
        except SourceError as error:
            answer = error
        failures += isinstance(answer, SourceError)
        show(name, answer)
    return failures


def show_text(name: str, answer: Classification | SourceError) -> None:
    """Print an answer as one line for people; an error goes to stderr."""
    if isinstance(answer, SourceError):
        print(f"trailcam: {printable(str(answer))}", file=sys.stderr)
        return
    best = ", ".join(f"{candidate.label} {candidate.probability:.1%}" for candidate in answer.top)
    place = "" if answer.box is None else f"; at {_place(answer.box)}"
    print(f"{printable(name)}: {printable(explained(answer))}  ({best}; {answer.latency_ms:.1f} ms{place})", flush=True)


def _place(box: Box) -> str:
    return ", ".join(f"{name} {value:.0%}" for name, value in asdict(box).items())


def show_json(name: str, answer: Classification | SourceError) -> None:
    """Print an answer or an error as one line of JSON."""
    record: dict[str, Any] = {"path": name}
    if isinstance(answer, SourceError):
        record["error"] = str(answer)
    else:
        record |= answer_record(answer)
    print(json.dumps(record, ensure_ascii=False), flush=True)


def csv_writer() -> Show:
    """Print the header of the CSV rows; return the function that prints a row."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "label", "nearest", "confidence", "score", "threshold", "latency_ms", "error"])

    def show(name: str, answer: Classification | SourceError) -> None:
        if isinstance(answer, SourceError):
            writer.writerow([csv_text(name), "", "", "", "", "", "", csv_text(answer)])
        else:
            nearest, rejection = csv_text(answer.top[0].label), answer.rejection
            reason = ["", ""] if rejection is None else [f"{rejection.value:.6f}", f"{rejection.threshold:.6f}"]
            writer.writerow(
                [
                    csv_text(name),
                    csv_text(named(answer)),
                    nearest,
                    f"{answer.confidence:.6f}",
                    *reason,
                    f"{answer.latency_ms:.3f}",
                    "",
                ]
            )

    return show


def _expand(sources: list[str], shard: Shard) -> Iterator[tuple[str, Found | SourceError]]:
    """Yield the name and the file of each picture; a source without one is yielded itself, with an error."""
    for source in sources:
        empty = True
        try:
            for found in list_files([source], shard, Skipped()):
                empty = False
                name = shown(found.reference)
                yield name, found if found.problem is None else SourceError(found.problem)
        except SourceError as error:
            yield shown(source), error
            continue
        if empty:
            problem = SourceError(f"{source}: holds no picture. Name a folder with photographs or clips in it.")
            yield source, problem


def _classify(found: Found, classifier: Classifier, top_count: int, zoom: bool) -> Classification:
    if found.kind == "clip" and not is_address(found.reference):
        return _classify_clip(Path(found.reference), classifier, top_count)
    content = read_reference(found.reference)
    name = shown(found.reference)
    look = classifier.look_twice if zoom else classifier.classify
    if is_foreign(content):
        return look(decode_in_child(content, name), top_count)
    if zoom:
        return look(decode_image(content, name), top_count)  # as large as it is: the part is cut from it
    return classifier.classify(decode_image(content, name, classifier.input), top_count)


def _classify_clip(path: Path, classifier: Classifier, top_count: int) -> Classification:
    """Return the answer of the frame in which a label is most familiar, else that of the first frame."""
    rule = classifier.output.reject
    score = "max_probability" if rule is None else rule.score
    best: tuple[bool, float, Classification] | None = None
    for frame in sample_clip(path, 1.0, 30).frames():
        logits = classifier.logits(frame.image)
        answer = classifier.answer(logits, top_count)
        rank = answer.label is not None, float(confidence_score(logits, score))
        if best is None or rank > best[:2]:
            best = (*rank, answer)
    if best is None:
        raise SourceError(f"{path}: not one frame of this clip decodes. It may be cut off.")
    return best[2]
