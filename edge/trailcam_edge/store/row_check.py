"""Check of the rows of a database at opening, through the readers' decoder.

``PRAGMA integrity_check`` proves the pages, and that tables and their indices agree. It does not check values: a
flipped bit in a time or a text passes it. Values that the readers cannot decode, or that no camera writes, are damage.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable

_MOMENT = (
    "{0}_monotonic_s BETWEEN -1e9 AND 1e9 AND "  # 32 years without a restart
    "({0}_wall_s IS NULL OR {0}_wall_s BETWEEN 946684800 AND 4102444800)"  # the years 2000 to 2100
)
_SPAN = f"{_MOMENT.format('started')} AND {_MOMENT.format('ended')}"
_LAST_VISIT = "(SELECT coalesce(max(seq), 1e15) FROM sqlite_sequence WHERE name = 'visits')"
_RULES = {  # condition of every row of a table
    "boots": "last_monotonic_s BETWEEN -1e9 AND 1e9",
    "clock_readings": "monotonic_s BETWEEN -1e9 AND 1e9 AND wall_s BETWEEN 946684800 AND 4102444800",
    "visits": f"{_SPAN} AND confidence BETWEEN -0.001 AND 1.001 AND votes BETWEEN 0 AND 1e12 "
    "AND frames BETWEEN 0 AND 1e12 AND latency_ms BETWEEN 0 AND 1e12 AND picture_bytes BETWEEN 0 AND 1e12 "
    "AND picture_state IN ('kept', 'none', 'dropped', 'expired', 'missing') "
    "AND (picture_state = 'kept') = (picture_bytes > 0)",
    "blind_times": _SPAN,
    "watches": f"{_SPAN} AND frames BETWEEN 0 AND 1e12",
    "sinks": f"event_id BETWEEN 0 AND {_LAST_VISIT}",
    "sqlite_sequence": "typeof(seq) = 'integer' AND seq BETWEEN 0 AND 1e15 "
    "AND name IN ('boots', 'clock_readings', 'visits', 'blind_times', 'watches')",
}


def check_rows(connection: sqlite3.Connection, records: Iterable[object]) -> None:
    """Check every row of a database.

    Args:
        connection: of the database.
        records: all of it, as the readers decode it; taken to their end.

    Raises:
        sqlite3.Error: it cannot be read; a text that is not UTF-8 is an error without a code.
        ValueError: a value cannot be decoded, or is out of range.
    """
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        raise ValueError(f"row {orphan[1]} of {orphan[0]} names a start of the machine that is not there")
    for table, rule in _RULES.items():
        query = f"SELECT count(*) FROM {table} WHERE ({rule}) IS NOT TRUE"  # noqa: S608 - constants
        number = connection.execute(query).fetchone()[0]
        if number:
            raise ValueError(f"{number} rows of {table} hold values out of range")
    deque(connection.execute("SELECT name FROM sinks"), maxlen=0)
    deque(records, maxlen=0)
