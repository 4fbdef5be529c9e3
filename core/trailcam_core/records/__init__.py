"""Strict decoding of tables (TOML, JSON) into frozen dataclasses: one decoder for every settings and data file.

    @dataclass(frozen=True)
    class Store:
        folder: Path
        max_bytes: Annotated[int, Range(1_000_000, 10**13)] = 1_000_000_000

        def __post_init__(self) -> None:
            check_ranges(self)

    table, document = read_toml(path, ConfigError, max_bytes=1_000_000)
    store = document.decode(Store, table)

The type hints are the schema. An unknown key, a missing one, another type and a value out of range are refused with the
file, the line, the value and what was expected. A rule that spans several fields belongs into ``__post_init__`` as a
``FieldError`` that names the field.

msgspec and cattrs were considered: neither message holds the refused value, and neither knows the line of a key.
"""

from trailcam_core.records.canonical import canonical_json
from trailcam_core.records.decode import Document
from trailcam_core.records.parse import parse_json, parse_toml, read_toml
from trailcam_core.records.rules import Choice, FieldError, Key, Pattern, Range, check_ranges, encode, shown
from trailcam_core.records.toml_text import toml_string

__all__ = [
    "Choice",
    "Document",
    "FieldError",
    "Key",
    "Pattern",
    "Range",
    "canonical_json",
    "check_ranges",
    "encode",
    "parse_json",
    "parse_toml",
    "read_toml",
    "shown",
    "toml_string",
]
