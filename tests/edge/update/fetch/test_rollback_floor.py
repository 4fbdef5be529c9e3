"""The anti-rollback floor as pure functions: older metadata is refused, and no timestamp can freeze a device out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.errors import UpdateError
from trailcam_edge.update.fetch.rollback_floor import (
    ROLES,
    Floor,
    SeenVersion,
    advance_floor,
    check_floor,
    read_floor,
    trusted_time,
    with_release,
    write_floor,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
SEEN = {role: SeenVersion(5, f"keys of {role}") for role in ROLES}
FLOOR = Floor(dict(SEEN), {"stable": 7}, NOW)


def offered(role: str, version: int, keys: str | None = None) -> dict[str, SeenVersion]:
    """Return metadata equal to the floor's, but for one role."""
    return SEEN | {role: SeenVersion(version, SEEN[role].keys if keys is None else keys)}


# check_floor


@pytest.mark.parametrize("role", ROLES)
def test_an_older_version_is_refused_with_both_numbers(role: str) -> None:
    with pytest.raises(UpdateError, match=rf"{role}\.json: version 4 is offered, 5 was seen"):
        check_floor(FLOOR, offered(role, 4))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("version", [5, 6])
def test_the_same_version_and_a_newer_one_pass(role: str, version: int) -> None:
    check_floor(FLOOR, offered(role, version))


def test_other_keys_never_let_root_go_back() -> None:
    with pytest.raises(UpdateError, match=r"root\.json: version 4"):
        check_floor(FLOOR, offered("root", 4, "other keys"))


@pytest.mark.parametrize("role", [role for role in ROLES if role != "root"])
def test_new_keys_recover_a_role_from_a_fast_forward_attack(role: str) -> None:
    check_floor(FLOOR, offered(role, 1, "other keys"))


@pytest.mark.parametrize("role", ROLES)
def test_one_old_role_is_refused_even_if_all_others_are_newer(role: str) -> None:
    newer = {name: SeenVersion(9, seen.keys) for name, seen in SEEN.items()}
    with pytest.raises(UpdateError, match=rf"^{role}\.json"):
        check_floor(FLOOR, newer | {role: SeenVersion(4, SEEN[role].keys)})


def test_a_device_that_has_seen_nothing_takes_any_version() -> None:
    check_floor(Floor(), {role: SeenVersion(1, "") for role in ROLES})


# raised


def test_the_floor_rises_to_what_was_verified_and_keeps_the_releases() -> None:
    newer = {role: SeenVersion(8, f"new keys of {role}") for role in ROLES}
    assert advance_floor(FLOOR, newer, NOW + SECOND, NOW + SECOND) == Floor(newer, {"stable": 7}, NOW + SECOND)


def test_after_a_recovery_the_floor_is_the_lower_version_under_the_new_keys() -> None:
    recovered = offered("snapshot", 1, "other keys")
    floor = advance_floor(FLOOR, recovered, NOW, NOW)
    check_floor(floor, recovered)
    with pytest.raises(UpdateError, match=r"snapshot\.json: version 0"):
        check_floor(floor, offered("snapshot", 0, "other keys"))


@pytest.mark.parametrize("ahead", [DAY + SECOND, 3650 * DAY])
def test_a_timestamp_signed_in_the_future_does_not_raise_the_time(ahead: timedelta) -> None:
    assert advance_floor(FLOOR, SEEN, NOW + ahead, NOW).signed_at == NOW
    assert advance_floor(Floor(), SEEN, NOW + ahead, NOW).signed_at is None


def test_after_a_timestamp_from_the_future_the_device_still_trusts_its_clock() -> None:
    floor = advance_floor(FLOOR, SEEN, NOW + 3650 * DAY, NOW)
    assert trusted_time(floor, NOW + SECOND) == NOW + SECOND


def test_clocks_may_differ_by_a_day() -> None:
    assert advance_floor(FLOOR, SEEN, NOW + DAY, NOW).signed_at == NOW + DAY


def test_an_older_signing_time_does_not_lower_the_time() -> None:
    assert advance_floor(FLOOR, SEEN, NOW - DAY, NOW).signed_at == NOW
    assert advance_floor(FLOOR, SEEN, None, NOW).signed_at == NOW


def test_without_a_clock_the_signing_time_is_all_there_is() -> None:
    assert advance_floor(Floor(), SEEN, NOW, None).signed_at == NOW
    assert advance_floor(Floor(), SEEN, None, None).signed_at is None


@given(st.lists(st.tuples(st.integers(-400, 400), st.one_of(st.none(), st.integers(-400, 400))), max_size=12))
def test_the_time_never_falls_and_passes_a_known_clock_by_a_day_at_most(
    days: list[tuple[int, int | None]],
) -> None:
    floor = Floor()
    for signed, clock in days:
        clock_at = None if clock is None else NOW + clock * DAY
        after = advance_floor(floor, SEEN, NOW + signed * DAY, clock_at)
        assert floor.signed_at is None or (after.signed_at is not None and after.signed_at >= floor.signed_at)
        if after.signed_at != floor.signed_at and clock_at is not None:
            assert after.signed_at is not None
            assert after.signed_at <= clock_at + DAY
        floor = after


# trusted_time


def test_the_later_of_clock_and_floor_is_trusted() -> None:
    assert trusted_time(FLOOR, NOW + SECOND) == NOW + SECOND
    assert trusted_time(FLOOR, NOW - DAY) == NOW  # a clock that was set back makes no metadata fresh again
    assert trusted_time(FLOOR, None) == NOW
    assert trusted_time(Floor(), NOW) == NOW
    assert trusted_time(Floor(), None) == datetime(1970, 1, 1, tzinfo=UTC)


# with_release


def test_a_channel_goes_forward_only() -> None:
    assert with_release(FLOOR, "stable", 7) == FLOOR
    assert with_release(FLOOR, "stable", 8) == replace(FLOOR, releases={"stable": 8})
    with pytest.raises(UpdateError, match=r"stable: release 6 is offered, 7 was seen before"):
        with_release(FLOOR, "stable", 6)


def test_channels_are_counted_apart() -> None:
    floor = with_release(FLOOR, "test", 1)
    assert floor.releases == {"stable": 7, "test": 1}
    assert FLOOR.releases == {"stable": 7}


# read_floor and write_floor


def keep(folder: Path, first: Floor, second: Floor) -> None:
    """Leave ``first`` in the first file and ``second`` in the second, as a power cut between two writes does."""
    write_floor(folder, first)
    held = (folder / "floor.0.json").read_bytes()
    write_floor(folder, second)
    (folder / "floor.0.json").write_bytes(held)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    for floor in (
        Floor(),
        FLOOR,
        Floor({"root": SeenVersion(1, "")}, {}, None),
        replace(FLOOR, signed_at=NOW + SECOND / 8),
    ):
        write_floor(tmp_path / "var" / "state", floor)
        assert read_floor(tmp_path / "var" / "state") == floor


HIGHER = {
    "root": replace(FLOOR, roles=offered("root", 6)),
    "timestamp": replace(FLOOR, roles=offered("timestamp", 6)),
    "releases": replace(FLOOR, releases={"stable": 8}),
    "root before timestamp": replace(FLOOR, roles=offered("root", 6) | {"timestamp": SeenVersion(1, "other keys")}),
    "timestamp before releases": Floor(offered("timestamp", 6), {}, NOW),
}


@pytest.mark.parametrize("what", HIGHER)
@pytest.mark.parametrize("newest_first", [True, False])
def test_of_two_files_the_higher_counts(tmp_path: Path, what: str, newest_first: bool) -> None:
    first, second = (HIGHER[what], FLOOR) if newest_first else (FLOOR, HIGHER[what])
    keep(tmp_path, first, second)
    assert read_floor(tmp_path) == HIGHER[what]


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_first_floor_of_a_device_is_higher_than_none(tmp_path: Path, newest_first: bool) -> None:
    first = Floor({"root": SeenVersion(1, "a key")}, {}, None)
    keep(tmp_path, *((first, Floor()) if newest_first else (Floor(), first)))
    assert read_floor(tmp_path) == first


THIRTY_KEYS = " ".join(["a" * 64] * 30)
LARGEST = {
    "keys": replace(FLOOR, roles=offered("targets", 5, THIRTY_KEYS)),
    "version": replace(FLOOR, roles=offered("timestamp", 10**20 - 1)),
    "channels": replace(FLOOR, releases={f"{number:064}": number for number in range(100)}),
}
TOO_LARGE = {
    "keys": replace(FLOOR, roles=offered("targets", 5, THIRTY_KEYS + " " + "a" * 64)),
    "version": replace(FLOOR, roles=offered("timestamp", 10**20)),
    "channels": replace(FLOOR, releases={f"{number:064}": number for number in range(101)}),
    "name of a channel": replace(FLOOR, releases={"a" * 65: 1}),
}


@pytest.mark.parametrize("what", LARGEST)
def test_the_largest_floor_is_read_back(tmp_path: Path, what: str) -> None:
    write_floor(tmp_path, LARGEST[what])
    assert read_floor(tmp_path) == LARGEST[what]


@pytest.mark.parametrize("what", TOO_LARGE)
def test_a_floor_that_could_not_be_read_back_is_refused_and_the_old_one_stays(tmp_path: Path, what: str) -> None:
    """Otherwise one version of 21 digits, signed with a stolen key, would erase what the device has seen."""
    write_floor(tmp_path, FLOOR)
    with pytest.raises(UpdateError, match="The floor is unchanged"):
        write_floor(tmp_path, TOO_LARGE[what])
    assert read_floor(tmp_path) == FLOOR


@pytest.mark.parametrize("name", ["floor.0.json", "floor.1.json"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"\xa5" * 300, None])
def test_one_whole_file_is_enough(tmp_path: Path, name: str, damage: bytes | None) -> None:
    write_floor(tmp_path, FLOOR)
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage)
    assert read_floor(tmp_path) == FLOOR


def test_a_file_that_claims_impossible_numbers_is_damage_too(tmp_path: Path) -> None:
    write_floor(tmp_path, FLOOR)
    good = (tmp_path / "floor.0.json").read_bytes()
    (tmp_path / "floor.0.json").write_bytes(good.replace(b'"stable":"7"', b'"stable":"many"'))
    assert read_floor(tmp_path) == FLOOR
    (tmp_path / "floor.0.json").write_bytes(good.replace(b"2026-06-01", b"2026-13-01"))
    assert read_floor(tmp_path) == FLOOR


def test_nothing_readable_is_an_empty_floor(tmp_path: Path) -> None:
    assert read_floor(tmp_path / "absent") == Floor()
