"""Strings of TOML files that are written."""

import json


def toml_string(text: str) -> str:
    """Return ``text`` as a basic string of TOML, in quotes: a JSON string is one, but for DEL.

    Raises:
        ValueError: it has a lone surrogate, which no UTF-8 file can hold.
    """
    text.encode("utf-8")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
