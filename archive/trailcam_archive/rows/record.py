"""The record of one file: what the model and a detector gave for it, before any limit is applied.

The journal keeps records as JSON; rows are made of them last, so another threshold needs no second run of the model.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

UNKNOWN, NOTHING = "unknown", "nothing"

AnswerKind = Literal["label", "nothing", "unknown", "detected"]
BoxFractions = tuple[float, float, float, float]  # x, y of the upper left corner, width, height; 0 to 1


@dataclass(frozen=True)
class Detection:
    """One box of a detector: its category in words, its confidence in 0..1, and the box as fractions of the picture."""

    category: str
    confidence: float
    box: BoxFractions


@dataclass(frozen=True)
class Answer:
    """The answer for a picture, a box or a frame.

    ``best`` is the most probable label with its probability ``confidence``, also where the answer is unknown.
    ``kind`` is what that label means: an animal (``label``), an empty scene (``nothing``), an animal that is none of
    the labels (``unknown``), or a category of the detector that the model was not asked about (``detected``).
    ``score`` is the confidence score that the threshold is compared with, None if the model was not asked. ``frame``
    and ``at_s`` are the number and the position of a frame of a clip.
    """

    best: str
    confidence: float
    kind: AnswerKind
    score: float | None
    top: tuple[tuple[str, float], ...] = ()
    detection: Detection | None = None
    frame: int | None = None
    at_s: float | None = None

    def species(self, score_limit: float | None) -> str:
        """Return the word for people: a label, a category, "nothing" or "unknown"."""
        if self.kind == NOTHING:
            return NOTHING
        rejected = score_limit is not None and self.score is not None and self.score < score_limit
        return UNKNOWN if self.kind == "unknown" or rejected else self.best


@dataclass(frozen=True)
class ClipFacts:
    """Frame rate of a clip in Hz, and the numbers of the frames that the model saw."""

    rate_hz: float
    frames: tuple[int, ...]


@dataclass(frozen=True)
class PictureRecord:
    """What is known of one file: answers, or an ``error``.

    ``taken`` is the time that the file states, in ISO 8601, with an offset only where it states one. ``note`` is a
    problem that left the answers usable, such as a hole in a clip.
    """

    answers: tuple[Answer, ...] = ()
    taken: str | None = None
    clip: ClipFacts | None = None
    error: str | None = None
    note: str | None = None


def failed(error: str) -> PictureRecord:
    """Return the record of a file that could not be read."""
    return PictureRecord(error=error)


def record_to_json(record: PictureRecord) -> str:
    """Return a record as one line of ASCII, without the fields that are empty."""
    return _ENCODER.encode(record)


def states_error(text: str) -> bool:
    """Return whether a text of ``record_to_json`` holds an error; a value has its quotes escaped."""
    return '"error":' in text


def record_from_json(text: str) -> PictureRecord:
    """Read what ``record_to_json`` wrote.

    Raises:
        ValueError: another text.
    """
    try:
        fields = json.loads(text)
        clip = fields.get("clip")
        return PictureRecord(
            tuple(_answer(item) for item in fields.get("answers", ())),
            fields.get("taken"),
            None if clip is None else ClipFacts(clip["rate_hz"], tuple(clip.get("frames", ()))),
            fields.get("error"),
            fields.get("note"),
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a record: {text[:80]!r}") from error


def _answer(fields: dict[str, Any]) -> Answer:
    detection = fields.pop("detection", None)
    top = tuple((label, probability) for label, probability in fields.pop("top", ()))
    answer = Answer(**{"score": None, **fields}, top=top)
    if detection is None:
        return answer
    return replace(answer, detection=Detection(**{**detection, "box": tuple(detection["box"])}))


def _filled_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are not empty; ``asdict`` takes ten times as long."""
    return {name: field for name, field in vars(value).items() if field is not None and field != ()}


_ENCODER = json.JSONEncoder(default=_filled_fields, separators=(",", ":"))
