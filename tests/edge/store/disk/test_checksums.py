"""Checksums of rows, where the processor is not as SQLite expects it."""

import ctypes
import mmap
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext

import pytest

from trailcam_edge.store.disk.checksums import CheckedConnection, find_damaged, keep_sealed, seal

_MOVD_MM0_EAX, _EMMS, _RET = b"\x0f\x6e\xc0", b"\x0f\x77", b"\xc3"


@contextmanager
def left_by_a_decoder() -> Iterator[None]:
    """Leave the x87 unit as code with MMX instructions leaves it that lacks ``emms``.

    SQLite 3.40 and its neighbours read the next decimal literal with an exponent beyond 22 in that unit, as NaN.
    """
    with closing(mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)) as memory:
        memory.write(_MOVD_MM0_EAX + _RET + _EMMS + _RET)
        start = ctypes.c_char.from_buffer(memory)
        address = ctypes.addressof(start)
        use, free = (ctypes.CFUNCTYPE(None)(address + offset) for offset in (0, len(_MOVD_MM0_EAX + _RET)))
        use()
        try:
            yield
        finally:
            free()
            del start


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86 has MMX and x87")
@pytest.mark.parametrize("writes", [True, False])
def test_a_decoder_that_left_the_processor_in_use_damages_no_row(writes: bool) -> None:
    with closing(sqlite3.connect(":memory:", factory=CheckedConnection)) as connection:
        connection.execute("CREATE TABLE seen (name TEXT NOT NULL, box_x REAL)")
        seal(connection)
        keep_sealed(connection)
        with left_by_a_decoder() if writes else nullcontext():
            connection.execute("INSERT INTO seen (name) VALUES ('fox')")
        with nullcontext() if writes else left_by_a_decoder():
            assert find_damaged(connection, "seen") == []


def test_a_condition_follows_a_column_that_a_migration_adds() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None, factory=CheckedConnection)) as connection:
        connection.execute(
            "CREATE TABLE notes (number INTEGER PRIMARY KEY, text TEXT NOT NULL, checksum INTEGER) STRICT"
        )
        connection.execute("INSERT INTO notes (text) VALUES ('fox')")
        seal(connection)
        sound = "SELECT count(*) FROM notes WHERE {}"
        assert connection.execute(sound.format(connection.condition("notes"))).fetchone() == (1,)
        connection.execute("ALTER TABLE notes ADD COLUMN place TEXT NOT NULL DEFAULT 'oak'")
        seal(connection)
        assert connection.execute(sound.format(connection.condition("notes"))).fetchone() == (1,)
