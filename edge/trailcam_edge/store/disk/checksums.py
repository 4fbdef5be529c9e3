"""A checksum for each row: a value that a failing card has changed is found, and its row is left out.

Every table with a column ``checksum`` takes part. The checksum is the CRC-32 of all other columns: first the texts
(bytes as hexadecimal digits) in the order of the table, as UTF-8 with a unit separator between them, then the numbers
in the order of the table, as little-endian IEEE 754 doubles. A column that a later migration adds is covered by itself.

Temporary triggers of the writer's connection keep the checksums up to date, so that no statement names them. They are
not part of the database: another program can read it, and what another program changes counts as damage.
"""

import sqlite3
import struct
import zlib
from collections.abc import Callable
from typing import Any

_COLUMN = "checksum"
_NO_TEXT = "char(30)"  # in place of NULL
_NO_NUMBER = "-4611686018427387904"  # no decimals: SQLite reads them in the x87 unit, which a decoder may leave in use


class CheckedConnection(sqlite3.Connection):
    """A connection whose queries can refuse damaged rows: ``condition`` in a WHERE clause lets the sound ones pass."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._refused: set[int] = set()
        self._refused_elsewhere = 0
        self._conditions: dict[str, str] = {}
        self.create_function("row_checksum", -1, _checksum, deterministic=True)
        self.create_function("row_is_sound", -1, self._check())

    @property
    def damaged_rows(self) -> int:
        """The number of different rows that queries of this connection have refused, with those of others."""
        return len(self._refused) + self._refused_elsewhere

    def add_damaged(self, number: int) -> None:
        """Count rows that another connection has refused, and this one will not read."""
        self._refused_elsewhere += number

    def condition(self, table: str) -> str:
        """Return the SQL condition that holds for the rows of a table whose checksum is right."""
        if table not in self._conditions:
            self._conditions[table] = f"row_is_sound({table}.{_COLUMN}, {_values(self, table, f'{table}.')})"
        return self._conditions[table]

    def forget_conditions(self) -> None:
        """Let the next conditions follow the columns of now: a migration adds some."""
        self._conditions.clear()

    def _check(self) -> Callable[..., bool]:
        """Return the function that compares a checksum with the values of a row, in half the time of a method."""
        crc32, pack, refused = zlib.crc32, _pack, self._refused

        def is_sound(expected: object, texts: bytes, *numbers: float) -> bool:
            try:
                if crc32(pack[len(numbers)](*numbers), crc32(texts)) == expected:
                    return True
            except (struct.error, TypeError, OverflowError):
                pass  # what should be a number is none
            refused.add(hash((texts, numbers)))
            return False

        return is_sound


class _Packers(dict[int, Callable[..., bytes]]):
    """The function that makes bytes of n numbers, for every n."""

    def __missing__(self, number: int) -> Callable[..., bytes]:
        self[number] = struct.Struct(f"<{number}d").pack
        return self[number]


_pack = _Packers()


def sealed_tables(connection: sqlite3.Connection) -> list[str]:
    """Return the tables whose rows have a checksum, in the order of their creation."""
    return [name for name in _tables(connection) if any(column == _COLUMN for column, *_ in _columns(connection, name))]


def seal(connection: sqlite3.Connection) -> None:
    """Add the column to tables that lack it, and compute the checksum of every row; the caller has the transaction."""
    connection.create_function("row_checksum", -1, _checksum, deterministic=True)
    sealed = sealed_tables(connection)
    for table in _tables(connection):
        if table not in sealed:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {_COLUMN} INTEGER")
        values = _values(connection, table)
        connection.execute(f"UPDATE {table} SET {_COLUMN} = row_checksum({values})")  # noqa: S608 - names of our tables
    if isinstance(connection, CheckedConnection):
        connection.forget_conditions()


def keep_sealed(connection: CheckedConnection) -> None:
    """Let every later statement of this connection keep the checksums up to date.

    A row whose checksum was wrong before gets none by an update: its damage stays visible.
    """
    for table in sealed_tables(connection):
        old, new = _values(connection, table, "OLD."), _values(connection, table, "NEW.")
        names = ", ".join(name for name, *_ in _columns(connection, table) if name != _COLUMN)
        update = f"UPDATE {table} SET {_COLUMN} = {{}} WHERE rowid = NEW.rowid"  # noqa: S608 - names of our tables
        if_sound = f"CASE WHEN row_is_sound(OLD.{_COLUMN}, {old}) THEN row_checksum({new}) END"
        connection.execute(
            f"CREATE TEMP TRIGGER seal_new_{table} AFTER INSERT ON main.{table} "
            f"BEGIN {update.format(f'row_checksum({new})')}; END"
        )
        connection.execute(
            f"CREATE TEMP TRIGGER seal_{table} AFTER UPDATE OF {names} ON main.{table} "
            f"BEGIN {update.format(if_sound)}; END"
        )


def find_damaged(connection: CheckedConnection, table: str, newest: int | None = None) -> list[int]:
    """Return the row numbers of the rows of a table whose checksum is wrong: of the ``newest``, or of all."""
    query = f"SELECT rowid FROM {table} WHERE NOT {connection.condition(table)}"  # noqa: S608 - names of our tables
    if newest is not None:
        query += f" AND rowid > (SELECT max(rowid) FROM {table}) - {newest}"  # noqa: S608 - as above
    return [int(number) for (number,) in connection.execute(query)]


def take_out(connection: sqlite3.Connection, table: str, numbers: list[int]) -> list[dict[str, Any]]:
    """Delete rows and return their values; a text that is not UTF-8 has escapes.

    The caller has the transaction.
    """
    rows = []
    text_factory, connection.text_factory = connection.text_factory, _readable
    try:
        for number in numbers:
            cursor = connection.execute(f"SELECT * FROM {table} WHERE rowid = ?", (number,))  # noqa: S608 - as above
            rows += [dict(zip((name for name, *_ in cursor.description), row, strict=True)) for row in cursor]
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (number,))  # noqa: S608 - as above
    finally:
        connection.text_factory = text_factory
    return rows


def _readable(text: bytes) -> str:
    return text.decode(errors="backslashreplace")


def _checksum(texts: bytes, *numbers: float) -> int | None:
    """Return the checksum of a row, None if what should be a number is none."""
    try:
        return zlib.crc32(_pack[len(numbers)](*numbers), zlib.crc32(texts))
    except (struct.error, TypeError, OverflowError):
        return None


def _values(connection: sqlite3.Connection, table: str, prefix: str = "") -> str:
    """Return the arguments of ``row_checksum``: the texts as one, then each number."""
    texts: list[str] = []
    numbers: list[str] = []
    for name, kind, is_required in _columns(connection, table):
        if name == _COLUMN:
            continue
        value = f"hex({prefix}{name})" if kind == "BLOB" else f"{prefix}{name}"
        is_text = kind in ("TEXT", "BLOB")
        null = _NO_TEXT if is_text else _NO_NUMBER
        (texts if is_text else numbers).append(value if is_required else f"ifnull({value}, {null})")
    return ", ".join([f"CAST({' || char(31) || '.join(texts or [repr('')])} AS BLOB)", *numbers])


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Return the tables of the schema, without those of SQLite."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY rowid"
    return [str(name) for (name,) in connection.execute(query)]


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, bool]]:
    """Return name and type of every column of a table, and whether it is never NULL."""
    found = connection.execute('SELECT name, type, "notnull" FROM pragma_table_info(?) ORDER BY cid', (table,))
    return [(str(name), str(kind), bool(is_required)) for name, kind, is_required in found]
