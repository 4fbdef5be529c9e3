"""Print the visits of a store in parts; those of a large store are read by a process for each core, in their order.

A process gets its query and then the numbers of one part after the other by standard input. A part whose process ended
is read by this one, which states what is wrong with the store.
"""

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from trailcam.commands.events.lines import Query
from trailcam.commands.events.reviews import CSV_LINE
from trailcam.terminal import show_note
from trailcam_core.files.names import counted
from trailcam_core.jobs.cores import usable_cores
from trailcam_edge.store.reader import StoreReader, open_reader

_PART = 2000  # event numbers: half a megabyte of CSV
_MANY = 100_000  # event numbers; fewer are read in the time that other processes need to start
_MAX_PROCESSES = 4
_UNKNOWN_MEANS = (
    'unknown: no label is sure enough. "trailcam classify PICTURE" gives the nearest label, score and limit.'
)
_HEAD = struct.Struct("<QQQ")  # of an answer: lines, damaged rows, and bytes of text
_ERRORS = "surrogatepass"  # names of files that are not UTF-8


class Part(NamedTuple):
    """The text of one part, the number of its visits, and that of rows that were left out because of damage."""

    text: str
    visits: int
    damaged: int


def print_visits(reader: StoreReader, query: Query, after: int) -> int:
    """Print the visits with numbers above ``after``, and return how many; tables end with their number."""
    if query.form == "csv":
        sys.stdout.write(CSV_LINE)
    number = 0
    for part in read_parts(reader, query, after):
        sys.stdout.write(part.text)
        number += part.visits
    reader.restrict(query.only)
    if query.form not in ("csv", "json"):
        print(f"{counted(number, 'visit')}.")
    if query.form in ("table", "stations") and query.has_unknown(reader, after):
        show_note(_UNKNOWN_MEANS, sys.stdout)
    return number


def read_parts(reader: StoreReader, query: Query, after: int) -> Iterator[Part]:
    """Yield the text of the visits with numbers above ``after``, part by part in their order.

    Args:
        reader: of the store; it counts the damaged rows that other processes found, too.
        query: the visits and their form.
        after: an event number.
    """
    first, last = max(after, reader.first_event_id() - 1), reader.last_event_id()
    spans = [(begin, min(begin + _PART, last)) for begin in range(first, last, _PART)]
    cores = min(_MAX_PROCESSES, usable_cores())
    if last - first < _MANY or cores == 1:
        for span in spans:
            yield _read_part(reader, query, *span)
        return
    with ExitStack() as stack:
        processes = [stack.enter_context(PartProcess(query)) for _ in range(cores)]
        for number in range(min(2 * cores, len(spans))):  # one part is read while the one before is printed
            processes[number % cores].ask(*spans[number])
        for number, span in enumerate(spans):
            process = processes[number % cores]
            part = process.answer()
            if number + 2 * cores < len(spans):
                process.ask(*spans[number + 2 * cores])
            if part is None:
                yield _read_part(reader, query, *span)
            else:
                reader.connection.add_damaged(part.damaged)
                yield part


class PartProcess:
    """A process that reads parts of one query; it ends with this object."""

    def __init__(self, query: Query) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],  # -P: nothing is imported from the working folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C reaches the parent, which ends its processes
        )
        self.is_alive = True
        self._write(json.dumps(asdict(query)))

    def ask(self, after: int, last: int) -> None:
        """Let the process read the visits with numbers above ``after`` and at most ``last``."""
        self._write(f"{after} {last}")

    def answer(self) -> Part | None:
        """Return the next part that was asked for, None if the process ended."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for; for the type checker
        head = self._process.stdout.read(_HEAD.size) if self.is_alive else b""
        if len(head) == _HEAD.size:
            visits, damaged, size = _HEAD.unpack(head)
            content = self._process.stdout.read(size)
            if len(content) == size:
                return Part(content.decode("utf-8", _ERRORS), visits, damaged)
        self.is_alive = False
        return None

    def kill(self) -> None:
        """Kill the process, which only reads."""
        self._process.kill()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - as above
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except OSError:
            self.is_alive = False

    def __enter__(self) -> Self:
        """Return the process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what is left in the buffer for a process that ended
                    stream.close()
        self._process.wait()


def _read_part(reader: StoreReader, query: Query, after: int, last: int) -> Part:
    before = reader.damaged_rows
    lines = list(query.lines(reader, after, last))
    return Part("".join(lines), len(lines), reader.damaged_rows - before)


def _answer_all(asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer the lines of ``asked`` until it ends: first the query, then a part in each."""
    query = Query(**json.loads(asked.readline()))
    with open_reader(Path(query.store)) as reader:
        for line in asked:
            text, visits, damaged = _read_part(reader, query, *map(int, line.split()))
            content = text.encode("utf-8", _ERRORS)
            answers.write(_HEAD.pack(visits, damaged, len(content)) + content)
            answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _answer_all(sys.stdin.buffer, sys.stdout.buffer)
    except BaseException:  # the parent reads the part itself, and reports what is wrong
        os._exit(1)
