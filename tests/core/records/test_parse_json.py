"""JSON from untrusted files."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.errors import BundleError
from trailcam_core.records import Range, canonical_json, parse_json


@dataclass(frozen=True)
class _One:
    a: Annotated[int, Range(0, 1)]


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("aäz🦌\n", max_size=4), inner, max_size=4),
    max_leaves=12,
)


def _read_one(content: bytes) -> _One:
    table, document = parse_json(content, "m.json", BundleError, 1_000_000)
    return document.decode(_One, table)


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
        (b"[1]", "holds a list of 1, expected an object in braces"),
        (b"null", "holds null, expected an object"),
        (b'{"a":1,"a":1}', "the key 'a' occurs twice"),
        (b'{"b":{"a":1,"a":1}}', "the key 'a' occurs twice"),
        (b'{"a":NaN}', "NaN is not a JSON number"),
        (b'{"a":-Infinity}', "-Infinity is not a JSON number"),
        (b'\xef\xbb\xbf{"a":1}', "BOM"),
    ],
)
def test_what_is_no_plain_object_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=r"^m\.json: ") as caught:
        parse_json(content, "m.json", BundleError, 20)
    assert message in str(caught.value)


def test_deep_nesting_and_endless_numbers_are_refused() -> None:
    for content in (b'{"a":' + b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' + b"1" * 50_000 + b"}"):
        with pytest.raises(
            BundleError, match=r"m\.json: (nested too deeply|has a whole number of more than 4,300 digits)"
        ):
            parse_json(content, "m.json", BundleError, 1_000_000)


def test_nesting_at_the_edge_of_the_stack_is_refused_too() -> None:
    for depth in range(800, 1_050, 5):
        content = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(BundleError, match=r"^m\.json: "):
            _read_one(content)
