"""The strict decoder: hints are the schema, and every refusal names line, field, value and expectation."""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.errors import ConfigError, DataError
from trailcam_core.records import (
    Choice,
    Document,
    FieldError,
    Pattern,
    Range,
    check_ranges,
    parse_toml,
    read_toml,
)


@dataclass(frozen=True)
class Sink:
    url: Annotated[str, Pattern(r"https?://\S+", "an address such as http://host/path")]
    timeout_s: Annotated[float, Range(0.1, 60)] = 10.0


@dataclass(frozen=True)
class Settings:
    folder: Path
    max_bytes: Annotated[int, Range(1_000, math.inf)] = 5_000
    fit: Literal["crop", "stretch"] = "crop"
    size: tuple[Annotated[int, Range(32, 1024)], Annotated[int, Range(32, 1024)]] = (96, 96)
    labels: tuple[Annotated[str, Choice("cat", "dog")], ...] = ()
    limits: Mapping[str, Annotated[float, Range(0, 1)]] = field(default_factory=dict)
    sink: Sink | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.quiet and self.sink is None:
            raise FieldError("quiet", "quiet is true, which needs [sink]")


def decode(text: str) -> Settings:
    table, document = parse_toml(text, "camera.toml", ConfigError, Path("/etc/trailcam"))
    return document.decode(Settings, table)


def test_a_whole_file_becomes_a_record() -> None:
    made = decode(
        'folder = "store"\nmax_bytes = 1000\nfit = "stretch"\nsize = [32, 1024]\nlabels = ["dog"]\n'
        'limits = { cow = 1 }\n[sink]\nurl = "http://a/b"\ntimeout_s = 60\n'
    )
    assert made == Settings(
        Path("/etc/trailcam/store"), 1000, "stretch", (32, 1024), ("dog",), {"cow": 1.0}, Sink("http://a/b", 60.0)
    )
    assert isinstance(made.sink, Sink)
    assert type(made.sink.timeout_s) is float


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_bytes = 1000", "camera.toml, line 1: folder is missing, expected a path in quotes."),
        ('folder = "a"\nmax_bytes = 999', "line 2: max_bytes is 999, expected 1,000 or more."),
        ('folder = "a"\nmax_bytes = 1.5e3', "line 2: max_bytes is 1500.0, expected a whole number, 1,000 or more."),
        ('folder = "a"\nmax_bytes = true', "line 2: max_bytes is true, expected a whole number, 1,000 or more."),
        ('folder = ""', "line 1: folder is '', expected a path in quotes."),
        ('folder = "a"\n\nfit = "squeeze"', "line 3: fit is 'squeeze', expected one of crop, stretch."),
        ('folder = "a"\nsize = [31, 32]', "line 2: size[0] is 31, expected 32 to 1,024."),
        ('folder = "a"\nsize = [32, 32, 32]', "line 2: size has 3 values, expected 2."),
        ('folder = "a"\nlabels = "dog"', "line 2: labels is 'dog', expected a list."),
        ('folder = "a"\nlabels = ["dog", "cow"]', "line 2: labels[1] is 'cow', expected one of cat, dog."),
        ('folder = "a"\n[limits]\ncow = 1.01', "line 3: limits.cow is 1.01, expected 0 to 1."),
        ('folder = "a"\nsink = 3', "line 2: sink is 3, expected a table [sink]."),
        (
            'folder = "a"\n[sink]\ntimeout_s = 1',
            "line 2: sink.url is missing, expected an address such as http://host/path.",
        ),
        ('folder = "a"\n[sink]\nurl = "x"', "line 3: sink.url is 'x', expected an address such as http://host/path."),
        (
            'folder = "a"\n[sink]\nurl = "http://a"\ntimeout_s = nan',
            "line 4: sink.timeout_s is nan, expected 0.1 to 60.",
        ),
        ('folder = "a"\n[sink]\nport = 1', "line 3: unknown key 'sink.port', expected one of url, timeout_s."),
        ('folder = "a"\n[sink]\ntimeout = 1', 'expected one of url, timeout_s. Did you mean "timeout_s"?'),
        ('folder = "a"\n[limit]', 'sink, quiet. Did you mean "limits"?'),
        ('folder = "a"\nquiet = true', "line 2: quiet is true, which needs [sink]."),
        ("folder = ", "camera.toml: not TOML:"),
        (f'folder = "a"\n[limits]\ncow = 1{"0" * 400}', "line 3: limits.cow is 1000"),
        (f'folder = "a"\n[limits]\ncow = -1{"0" * 400}', "line 3: limits.cow is -1000"),
        (f'folder = "a"\nmax_bytes = -0x{"f" * 5000}', "not TOML"),
        (f'folder = "a"\n[sink]\nurl = 0x{"f" * 5000}', "sink.url is a whole number of more than 1,000 digits"),
        (f'folder = "a"\nmax_bytes = 1{"0" * 5000}', "camera.toml: has a whole number of more than 4,300 digits"),
        (f"folder = {'[' * 100_000}", "camera.toml: nested too deeply to be read."),
        ('folder = "~nosuchuser/store"', "line 1: folder is '~nosuchuser/store', expected a path from / on"),
        ('folder = "a\\u0000b"', "line 1: folder is 'a\\x00b', expected text without a null character."),
        ('folder = "a"\nfit = 2026-05-27T07:32:00Z', "line 2: fit is 2026-05-27T07:32:00+00:00, expected one of"),
    ],
)
def test_a_refusal_names_line_field_value_and_expectation(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(text)
    assert message in str(caught.value)


def test_a_range_includes_both_bounds_and_nothing_beyond() -> None:
    assert Sink("http://a", 0.1).timeout_s == 0.1  # a class without __post_init__ checks nothing by itself
    for value in (0.1, 60.0):
        check_ranges(Sink("http://a", value))
    for value in (math.nextafter(0.1, 0), math.nextafter(60, 61), math.nan, math.inf):
        with pytest.raises(FieldError, match="timeout_s") as caught:
            check_ranges(Sink("http://a", value))
        assert caught.value.field == "timeout_s"


def test_null_is_accepted_only_where_the_hint_has_it() -> None:
    document = Document("rows.json", DataError)
    assert document.decode(Settings, {"folder": "a", "sink": None}).sink is None
    with pytest.raises(DataError, match=r"rows\.json: max_bytes is null, expected a whole number"):
        document.decode(Settings, {"folder": "a", "max_bytes": None})


def test_a_hostile_value_stays_short_and_on_one_line() -> None:
    with pytest.raises(DataError) as caught:
        Document("rows.json", DataError).decode(Settings, {"folder": "a", "fit": "\x1b[31m\n" * 1000})
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 150


def test_an_unreadable_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "camera.toml"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(path, ConfigError)
    path.write_bytes(b'\xef\xbb\xbffolder = "a"')
    table, _ = read_toml(path, ConfigError, max_bytes=15)
    assert table == {"folder": "a"}  # a byte order mark is no part of the first key
    with pytest.raises(ConfigError, match="more than 14 bytes"):
        read_toml(path, ConfigError, max_bytes=14)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="byte 0 is not UTF-8"):
        read_toml(path, ConfigError)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Settings.__dataclass_fields__, "other"]), _JSON))
def test_any_table_gives_a_record_or_an_error_of_the_family(table: dict[str, Any]) -> None:
    with contextlib.suppress(DataError):  # anything else that is raised fails the test
        check_ranges(Document("rows.json", DataError).decode(Settings, table))
