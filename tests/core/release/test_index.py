"""The index of a channel: what is written is read, what is not an index is an error and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.errors import BundleError
from trailcam_core.release.index import MAX_OFFERS, Offer, ReleaseIndex, index_to_bytes, parse_index

INDEX = ReleaseIndex("meadow", 7, (Offer(7, "2.0.0", 10), Offer(5, "1.1.0", 50, stopped=True), Offer(1, "1.0.0")))
ROW = {"number": 3, "percent": 10, "stopped": False, "version": "1.0.0"}

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2**70), st.floats(), st.text(max_size=20), st.sampled_from(["1.0.0", "a"])
)
values = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner, max_size=9), st.dictionaries(st.text(), inner)))


def written(**changes: Any) -> bytes:
    return json.dumps({"schema_version": 2, "channel": "meadow", "number": 3, "releases": [ROW]} | changes).encode()


def test_what_is_written_is_read() -> None:
    assert parse_index(index_to_bytes(INDEX)) == INDEX


def test_an_index_of_the_first_schema_is_one_release_for_all() -> None:
    content = b'{"channel":"meadow","number":7,"schema_version":1,"version":"2.0.0"}'
    assert parse_index(content) == ReleaseIndex("meadow", 7, (Offer(7, "2.0.0", 100),))


def test_the_largest_index_fits() -> None:
    rows = tuple(Offer(10**9 - i, f"999999.999999.{i}-{'x' * 40}", 100, True) for i in range(MAX_OFFERS))
    index = ReleaseIndex("c" * 64, 10**9, rows)
    assert parse_index(index_to_bytes(index)) == index


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 3}, "schema_version is 3, expected 1 to 2"),
        ({"releases": []}, "expected a list of 1 to 8 releases"),
        ({"releases": [ROW | {"number": number} for number in range(9, 0, -1)]}, "expected a list of 1 to 8"),
        ({"releases": [3]}, r"releases\[0\] is 3, expected a table"),
        ({"releases": [ROW | {"percent": 0}]}, r"releases\[0\].percent is 0, expected 1 to 100"),
        ({"releases": [ROW | {"percent": 101}]}, r"percent is 101, expected 1 to 100"),
        ({"releases": [ROW | {"percent": 10.5}]}, r"percent is 10.5"),
        ({"releases": [ROW | {"percent": True}]}, r"percent is true"),
        ({"releases": [ROW | {"stopped": 0}]}, r"stopped is 0, expected true or false"),
        ({"releases": [ROW | {"until": 0}]}, r"unknown key 'releases\[0\].until'"),
        ({"releases": [ROW | {"version": "../1.0.0"}]}, r"version is '../1.0.0'"),
        ({"releases": [ROW | {"number": 4}]}, r"are \[4\], expected falling from 3"),
        ({"releases": [ROW | {"number": 1}, ROW | {"number": 2, "version": "2.0.0"}]}, "expected falling"),
        ({"releases": [ROW, ROW | {"number": 2}]}, "lists a version twice"),
        ({"version": "1.0.0"}, "unknown key 'version'"),
    ],
)
def test_what_breaks_a_rule_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        parse_index(written(**changes))


@given(st.one_of(st.binary(max_size=200), values.map(lambda value: json.dumps(value).encode())))
def test_anything_else_is_an_error_and_nothing_else(content: bytes) -> None:
    with pytest.raises(BundleError):
        parse_index(content)


@given(st.sampled_from(sorted(ROW)), values, st.sampled_from(["channel", "number", "releases", "schema_version"]))
def test_a_field_with_anything_in_it_is_read_within_the_rules_or_is_an_error(key: str, value: Any, top: str) -> None:
    for content in (written(**{top: value}), written(releases=[ROW | {key: value}])):
        try:
            index = parse_index(content)
        except BundleError:
            continue
        assert parse_index(index_to_bytes(index)) == index
        assert all(1 <= offer.percent <= 100 and offer.number <= index.number for offer in index.offers)


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_byte_that_was_changed_is_an_error_or_another_index(position: int, byte: int) -> None:
    content = bytearray(index_to_bytes(INDEX))
    content[position % len(content)] = byte
    try:
        parse_index(bytes(content))
    except BundleError:
        return
