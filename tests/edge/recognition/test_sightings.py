"""Frames become sightings."""

from hypothesis import given
from hypothesis import strategies as st

from trailcam_edge.recognition.sightings import Sighting, find_sightings

answers = st.lists(st.tuples(st.sampled_from([None, "cat", "dog"]), st.floats(0, 1)), max_size=30)


def test_consecutive_frames_with_one_label_are_one_sighting() -> None:
    seen = [(0, None, 0.2), (1, "cat", 0.7), (2, "cat", 0.9), (3, None, 0.1), (4, "cat", 0.8), (5, "dog", 0.6)]
    assert find_sightings(seen) == (
        Sighting("cat", 1, 2, 2, 0.9),
        Sighting("cat", 4, 4, 1, 0.8),
        Sighting("dog", 5, 5, 1, 0.6),
    )


@given(answers)
def test_every_known_frame_is_in_exactly_one_sighting(frames: list[tuple[str | None, float]]) -> None:
    sightings = find_sightings((number, label, share) for number, (label, share) in enumerate(frames))
    covered = [number for sighting in sightings for number in range(sighting.first, sighting.last + 1)]
    assert covered == [number for number, (label, _) in enumerate(frames) if label is not None]
    for sighting in sightings:
        members = frames[sighting.first : sighting.last + 1]
        assert {label for label, _ in members} == {sighting.label}
        assert sighting.confidence == max(share for _, share in members)
        assert sighting.frames == len(members)
