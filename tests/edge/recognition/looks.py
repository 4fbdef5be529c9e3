"""Votes for tests of visits, and the visits that they make."""

from trailcam_edge.events import UNKNOWN
from trailcam_edge.recognition.settings import VisitSettings
from trailcam_edge.recognition.visits import FrameVote, Track, VisitState, advance, finish

RULES = VisitSettings(cool_down_s=5.0, longest_s=20.0, vote_age_s=4.0)


def play(looks: list[FrameVote], rules: VisitSettings = RULES) -> list[Track]:
    """Return every visit, in the order in which they were given out."""
    state, ended = VisitState(), []
    for look in looks:
        state, found, _ = advance(state, look, rules)
        ended += found
    return ended + list(finish(state))


def looks(*labels: str | None, step_s: float = 0.25, start_s: float = 0.0, confidence: float = 0.9) -> list[FrameVote]:
    """One look per label, ``step_s`` apart; None is unknown."""
    return [
        FrameVote(start_s + number * step_s, number, label or UNKNOWN, confidence, latency_ms=10.0)
        for number, label in enumerate(labels)
    ]
