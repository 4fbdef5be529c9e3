"""Events as JSON lines in a file that is rotated by size."""

import json
import os
from pathlib import Path

from trailcam_core.errors import reason_of
from trailcam_core.files.atomic import make_folder, sync_directory
from trailcam_edge.sinks.settings import JsonLinesSettings
from trailcam_edge.sinks.worker import SinkError
from trailcam_edge.store.records import EventRecord, sink_json

_TAIL_BYTES = 65_536  # longer than any line


class JsonLinesSink:
    """Append each event to a file and rotate it by size; the file is not opened before the first event."""

    def __init__(self, settings: JsonLinesSettings) -> None:
        self._path = settings.path
        self._max_bytes = settings.max_bytes
        self._keep = settings.keep
        self._checked = False

    @property
    def name(self) -> str:
        """The name of the sink, made of the path."""
        return f"json lines {self._path}"

    def deliver(self, event: EventRecord) -> None:
        """Append one whole line and flush it to the disk.

        Raises:
            SinkError: the disk is full, read-only or failing.
        """
        line = json.dumps(sink_json(event), ensure_ascii=False).encode("utf-8") + b"\n"
        try:
            if not self._checked:
                make_folder(self._path.parent)
                _cut_half_line(self._path)
                self._checked = True
            if self._path.exists() and self._path.stat().st_size + len(line) > self._max_bytes:
                self._rotate()
            with open(self._path, "ab", buffering=0) as file:
                if file.write(line) != len(line):
                    raise OSError("only a part of the line was written")
                os.fsync(file.fileno())
        except OSError as error:
            self._checked = False  # a part of the line may be there
            raise SinkError(f"{self._path}: cannot be written ({reason_of(error)}).") from error

    def close(self) -> None:
        """Do nothing: the file is not kept open."""

    def _rotate(self) -> None:
        old = [self._path.with_name(f"{self._path.name}.{number}") for number in range(1, self._keep + 1)]
        for older, newer in zip(reversed(old), [*reversed(old[:-1]), self._path], strict=False):
            if newer.exists():
                newer.replace(older)
        if not old:
            self._path.unlink()
        sync_directory(self._path.parent)


def _cut_half_line(path: Path) -> None:
    """Remove a partial last line after a power cut; its event was not acknowledged and is delivered again."""
    if not path.exists():
        return
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - _TAIL_BYTES)
        file.seek(start)
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if whole != len(tail) and (whole or start == 0):
            file.truncate(start + whole)
            os.fsync(file.fileno())
