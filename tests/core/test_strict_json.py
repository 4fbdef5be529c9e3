"""JSON from untrusted files."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.errors import BundleError
from trailcam_core.strict_json import JsonObject, canonical_json, parse_object

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("aäz🦌\n", max_size=4), inner, max_size=4),
    max_leaves=12,
)


def _object(**fields: Any) -> JsonObject:
    return parse_object(json.dumps(fields).encode(), "m.json", 1_000_000)


@given(_VALUES)
def test_canonical_bytes_read_back_equal(value: Any) -> None:
    content = canonical_json(value)
    assert json.loads(content) == value
    assert canonical_json(json.loads(content)) == content


def test_canonical_bytes_are_these() -> None:
    value = {"b": [1, 2.5, None, True], "a": {"ä": "🦌\n"}}
    assert canonical_json(value) == '{"a":{"ä":"🦌\\n"},"b":[1,2.5,null,true]}\n'.encode()


@given(st.dictionaries(st.text("abcd", max_size=3), st.integers()))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": number})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}' + b" " * 20, "28 bytes, expected at most 20. It was not read"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b'{"a": 1', "not JSON at line 1 column 8"),
        (b"", "not JSON at line 1 column 1"),
        (b"[1]", "holds a list, expected an object in braces"),
        (b"null", "holds a NoneType, expected an object"),
        (b'{"a":1,"a":1}', "the key 'a' stands twice"),
        (b'{"b":{"a":1,"a":1}}', "the key 'a' stands twice"),
        (b'{"a":NaN}', "NaN is not a number that JSON knows"),
        (b'{"a":-Infinity}', "-Infinity is not a number"),
        (b'\xef\xbb\xbf{"a":1}', "BOM"),
    ],
)
def test_what_is_no_plain_object_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=r"^m\.json: ") as caught:
        parse_object(content, "m.json", 20)
    assert message in str(caught.value)


def test_deep_nesting_and_endless_numbers_are_refused() -> None:
    for content in (b'{"a":' + b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' + b"1" * 50_000 + b"}"):
        with pytest.raises(BundleError, match=r"m\.json: (nested too deeply|Exceeds the limit)"):
            parse_object(content, "m.json", 1_000_000)


def test_nesting_at_the_edge_of_the_stack_is_refused_too() -> None:
    for depth in range(800, 1_050, 5):
        content = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(BundleError, match=r"^m\.json: "):
            parse_object(content, "m.json", 1_000_000).integer("a", 0, 1)


Take = Callable[[JsonObject], Any]


@pytest.mark.parametrize(
    ("fields", "take", "expected"),
    [
        ({"a": "x1"}, lambda it: it.text("a", "x[0-9]", "x and a digit"), "x1"),
        ({"a": "on"}, lambda it: it.choice("a", ("on", "off")), "on"),
        ({"a": 3}, lambda it: it.integer("a", 3, 3), 3),
        ({"a": 3}, lambda it: it.number("a", 0, 5), 3.0),
        ({"a": None}, lambda it: it.optional_number("a", 0, 5), None),
        ({"a": 0.5}, lambda it: it.optional_number("a", 0, 5), 0.5),
        ({"a": ["x", "y z"]}, lambda it: it.texts("a", 2, 3), ("x", "y z")),
        ({"a": [0, 0.5]}, lambda it: it.numbers("a", 2, 0, 1), (0.0, 0.5)),
        ({"a": None}, lambda it: it.optional_child("a"), None),
        ({"a": {"b": 1}}, lambda it: it.child("a").integer("b", 0, 1), 1),
        ({"a": {"b": "c"}}, lambda it: it.text_table("a", 1, 1), {"b": "c"}),
    ],
)
def test_a_field_of_the_right_kind_is_taken(fields: dict[str, Any], take: Take, expected: Any) -> None:
    found = _object(**fields)
    assert take(found) == expected
    found.finish()


@pytest.mark.parametrize(
    ("fields", "take", "message"),
    [
        ({}, lambda it: it.integer("a", 0, 9), "a is missing, expected a whole number, 0 to 9"),
        ({"a": "x1\n"}, lambda it: it.text("a", "x[0-9]", "x and a digit"), r"a is 'x1\n', expected x and a digit"),
        ({"a": 1}, lambda it: it.text("a", ".*", "a text"), "a is 1, expected a text"),
        ({"a": "of"}, lambda it: it.choice("a", ("on", "off")), "a is 'of', expected one of on, off"),
        ({"a": True}, lambda it: it.integer("a", 0, 9), "a is true, expected a whole number"),
        ({"a": 1.0}, lambda it: it.integer("a", 0, 9), "a is 1.0, expected a whole number"),
        ({"a": 10}, lambda it: it.integer("a", 0, 9), "a is 10, expected 0 to 9"),
        ({"a": False}, lambda it: it.number("a", 0, 9), "a is false, expected a number"),
        ({"a": "1"}, lambda it: it.number("a", 0, 9), "a is '1', expected a number"),
        ({"a": 10**400}, lambda it: it.number("a", 0, 9), "expected 0 to 9"),
        ({}, lambda it: it.optional_number("a", 0, 9), "a is missing"),
        ({"a": []}, lambda it: it.texts("a", 2, 3), "a is a list of 0, expected a list of 1 to 2 different names"),
        ({"a": ["x"] * 3}, lambda it: it.texts("a", 2, 3), "a is a list of 3"),
        ({"a": ["x", "x"]}, lambda it: it.texts("a", 2, 3), "a[1] is 'x', expected a name that does not stand in the"),
        ({"a": ["x", 1]}, lambda it: it.texts("a", 2, 3), "a[1] is 1, expected a printable name of 1 to 3"),
        ({"a": ["wxyz"]}, lambda it: it.texts("a", 2, 3), "a[0] is 'wxyz', expected a printable name"),
        ({"a": [""]}, lambda it: it.texts("a", 2, 3), "a[0] is '', expected a printable name"),
        ({"a": ["x\ud800"]}, lambda it: it.texts("a", 2, 3), r"a[0] is 'x\ud800', expected a printable name"),
        ({"a": [" x"]}, lambda it: it.texts("a", 2, 3), "expected a name without spaces around it"),
        ({"a": [1]}, lambda it: it.numbers("a", 2, 0, 1), "a is a list of 1, expected a list of 2 numbers"),
        ({"a": [0, True]}, lambda it: it.numbers("a", 2, 0, 1), "a[1] is true, expected a number, 0 to 1"),
        ({"a": []}, lambda it: it.child("a"), "a is a list of 0, expected an object in braces"),
        ({"a": {"b": 2}}, lambda it: it.child("a").integer("b", 0, 1), "a.b is 2, expected 0 to 1"),
        ({"a": {"b": 1}}, lambda it: it.text_table("a", 1, 9), "a.b is 1, expected printable text of at most 9"),
        ({"a": {"b": "\x1b[2J"}}, lambda it: it.text_table("a", 1, 9), r"a.b is '\x1b[2J', expected printable text"),
        ({"a": {"\x1b[2J": "b"}}, lambda it: it.text_table("a", 1, 9), r"a.'\x1b[2J' is"),
        ({"a": {"\ud800": "b"}}, lambda it: it.text_table("a", 1, 9), r"a.'\ud800' is"),
        (
            {"a": {"b": "", "c": ""}},
            lambda it: it.text_table("a", 1, 9),
            "a is an object of 2, expected at most 1 keys",
        ),
        ({"a": 1}, lambda it: it.finish(), "unknown key 'a'. It may come from a newer Trailcam"),
        ({"a": {"b": 1}}, lambda it: it.child("a").finish(), "unknown key 'a.b'"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(fields: dict[str, Any], take: Take, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        take(_object(**fields))
    assert str(caught.value).startswith("m.json: ")
    assert message in str(caught.value)


def test_messages_stay_short_and_printable() -> None:
    with pytest.raises(BundleError) as caught:
        _object(a="x" * 10_000).choice("a", ("on",))
    assert len(str(caught.value)) < 200
    with pytest.raises(BundleError) as caught:
        _object(**{"\x1b" * 10_000: 1}).finish()
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()
