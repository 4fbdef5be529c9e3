"""The members of large JSON objects, read in small pieces."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_archive.rows import json_stream
from trailcam_archive.rows.json_stream import JsonStreamError, read_members

_SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=12)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner)
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "ä"]), _VALUES),
    st.lists(_VALUES, max_size=8),
    st.booleans(),
    st.integers(1, 9),
)
def test_every_member_is_read_whatever_the_size_of_the_pieces(
    members: dict[str, object], images: list[object], ascii_only: bool, chunk_bytes: int
) -> None:
    text = json.dumps(members | {"images": images, "last": 1.5}, ensure_ascii=ascii_only, indent=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK_BYTES", chunk_bytes)
        found = list(read_members(io.BytesIO(text.encode()), {"images"}))
    assert [value for key, value in found if key == "images"] == images
    assert {key: value for key, value in found if key != "images"} == members | {"last": 1.5}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert list(read_members(io.BytesIO(b'\xef\xbb\xbf{"a": 1}'), set())) == [("a", 1)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[1]",
        b'{"a": 1',
        b'{"images": [1, 2',
        b'{"a" 1}',
        b'{"a": nope}',
        b'{"a": "\xff"}',
        b"{1: 2}",
        b"[" * 99_999,
    ],
)
def test_what_is_cut_off_or_no_json_is_an_error(text: bytes) -> None:
    with pytest.raises(JsonStreamError):
        list(read_members(io.BytesIO(text), {"images"}))


def test_a_value_that_does_not_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_MOST_CHARACTERS", 1 << 18)
    with pytest.raises(JsonStreamError, match="64 MB"):
        list(read_members(io.BytesIO(b'{"a": "' + b"x" * (1 << 20)), set()))
