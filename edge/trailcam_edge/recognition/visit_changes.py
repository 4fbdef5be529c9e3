"""Rules of reporting a visit: when an open one is reported again, and when one is suppressed. Pure functions."""

from trailcam_edge.events import NOTHING, PERSON, UNKNOWN, Moment, is_recording
from trailcam_edge.recognition.settings import VisitSettings
from trailcam_edge.recognition.visits import Best

NOT_ALLOWED, OUT_OF_SEASON = "not allowed", "out of season"
_SHARPER = 1.5  # visible at once between two frames of one animal


def is_clearly_better(new: Best, reported: Best, settings: VisitSettings) -> bool:
    """Return True if the best frame of an open visit is worth another report."""
    if new.sequence == reported.sequence:
        return False
    if new.confidence - reported.confidence >= settings.update_gain:
        return True
    return new.confidence >= reported.confidence and new.sharpness >= _SHARPER * reported.sharpness > 0


def suppression(label: str, started: Moment, settings: VisitSettings) -> str | None:
    """Return why a visit of this label is not reported, or None if it is.

    Months do not suppress a visit of unknown date, such as one in a recording.
    """
    if label in (NOTHING, PERSON, UNKNOWN):
        return None
    if settings.allowed and label not in settings.allowed:
        return NOT_ALLOWED
    months = settings.months.get(label)
    if months is None or started.wall is None or is_recording(started.boot_id) or started.wall.month in months:
        return None
    return OUT_OF_SEASON


def unknown_labels(settings: VisitSettings, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels in ``allowed`` and ``months`` that a model with these labels never answers."""
    named = dict.fromkeys((*settings.allowed, *settings.months))
    return tuple(label for label in named if label not in labels)
