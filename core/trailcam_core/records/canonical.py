"""Canonical JSON: equal values have equal bytes, and so equal digests.

UTF-8, keys sorted, no white space, no NaN or infinity, one newline at the end.
"""

import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Return ``value`` (dicts with string keys, lists, strings, numbers, booleans, None) as canonical JSON bytes.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"
