"""Which release a camera takes, from its id and what was signed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trailcam_core.release.index import Offer, ReleaseIndex
from trailcam_core.release.rollout import choose, place_in_queue, takes

IDS = tuple(f"cam-{number:04}" for number in range(5000))

percents = st.integers(1, 100)
ids = st.text("abcdefghij0123456789-", min_size=1, max_size=20)
offers = st.builds(Offer, st.just(1), st.just("1.0.0"), percents, st.booleans())


@st.composite
def indexes(draw: st.DrawFn) -> ReleaseIndex:
    """Some releases, the newest first, each for so many cameras or stopped."""
    count = draw(st.integers(1, 6))
    rows = [Offer(number, f"{number}.0.0", draw(percents), draw(st.booleans())) for number in range(count, 0, -1)]
    return ReleaseIndex("meadow", count, tuple(rows))


def of(*rows: Offer) -> ReleaseIndex:
    return ReleaseIndex("meadow", 9, rows)


def test_the_place_of_a_camera_never_changes() -> None:
    # Written down when the rule was made: another rule would put every ring in the field together anew.
    places = [place_in_queue(name, "meadow", "1.0.0") for name in ("gate-north", "gate-south", "cam-1")]
    assert places == [51, 19, 93]


@pytest.mark.parametrize("percent", [1, 10, 50, 100])
def test_a_ring_holds_about_its_share_of_the_cameras(percent: int) -> None:
    inside = sum(takes(Offer(1, "1.0.0", percent), name, "meadow") for name in IDS)
    expected = len(IDS) * percent / 100
    assert abs(inside - expected) <= 4 * (expected * (1 - percent / 100)) ** 0.5  # four standard deviations


def test_two_releases_have_different_early_cameras() -> None:
    early = [{name for name in IDS if place_in_queue(name, "meadow", version) < 10} for version in ("1.0.0", "1.1.0")]
    both = len(early[0] & early[1])
    assert 25 <= both <= 80  # one in a hundred cameras, 50, within four standard deviations; the same rings give 500


@given(ids, percents, percents)
def test_widening_takes_a_release_from_no_camera(name: str, percent: int, other: int) -> None:
    low, high = sorted((percent, other))
    assert takes(Offer(1, "1.0.0", low), name, "meadow") <= takes(Offer(1, "1.0.0", high), name, "meadow")


@given(indexes(), st.one_of(st.none(), ids), st.integers(0, 6))
def test_a_camera_never_goes_back_to_an_older_release(index: ReleaseIndex, name: str | None, had: int) -> None:
    has = [offer.version for offer in index.offers if offer.number == had]
    choice = choose(index, name, has)
    if has:
        assert choice.version is not None
        assert int(choice.version.split(".")[0]) >= had


@given(indexes(), st.one_of(st.none(), ids))
def test_a_camera_without_a_release_takes_the_newest_that_is_for_it(index: ReleaseIndex, name: str | None) -> None:
    fitting = [offer.version for offer in index.offers if takes(offer, name, "meadow")]
    choice = choose(index, name, ())
    assert choice.version == (fitting[0] if fitting else None)
    assert choice.passed_over == (None if choice.version == index.version else index.offers[0])


def test_outside_of_the_ring_the_release_for_all_is_taken_and_the_newer_one_named() -> None:
    outside = next(name for name in IDS if place_in_queue(name, "meadow", "2.0.0") >= 10)
    choice = choose(of(Offer(9, "2.0.0", 10), Offer(4, "1.0.0")), outside, ())
    assert choice.version == "1.0.0"
    assert choice.sentence() == "meadow 2.0.0: is for 10 % of the cameras, not for this one yet"


def test_a_stopped_release_stays_where_it_is_and_goes_nowhere_else() -> None:
    index = of(Offer(9, "2.0.0", 100, stopped=True), Offer(4, "1.0.0"))
    assert choose(index, "cam-1", ["2.0.0"]).version == "2.0.0"
    assert choose(index, "cam-1", ["1.0.0"]).version == "1.0.0"
    assert choose(index, "cam-1", ()).sentence() == "meadow 2.0.0: was stopped"


def test_a_newer_release_with_a_ring_outside_of_which_the_camera_is_does_not_push_it_back() -> None:
    outside = next(name for name in IDS if place_in_queue(name, "meadow", "3.0.0") >= 10)
    index = of(Offer(9, "3.0.0", 10), Offer(8, "2.0.0", 1), Offer(4, "1.0.0"))
    assert choose(index, outside, ["2.0.0"]).version == "2.0.0"


def test_a_camera_whose_release_was_withdrawn_takes_what_is_for_it() -> None:
    assert choose(of(Offer(4, "1.0.0")), "cam-1", ()).version == "1.0.0"


@given(percents)
@example(99)
def test_a_camera_whose_id_cannot_be_read_takes_only_what_is_for_all(percent: int) -> None:
    assert takes(Offer(1, "1.0.0", percent), None, "meadow") == (percent == 100)
