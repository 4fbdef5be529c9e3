"""List the files of a job while it runs: the first is there at once, and the list is never in memory as a whole.

A folder of up to 10,000 entries is listed by name; a larger one in the order of the disk, because to sort a million
names takes time and memory. Links to folders are followed, no folder is entered twice, and a link to a file that is
listed anyway is left out.
"""

import os
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from trailcam_archive.batch.download import MAX_DOWNLOAD_BYTES
from trailcam_archive.batch.references import is_address, is_web_address, open_filesystem, remote_errors, shown
from trailcam_archive.media_files import MediaKind, media_kind
from trailcam_core.datasets.class_folders import OTHER_PHOTOGRAPHS, is_system_name
from trailcam_core.errors import SourceError

_SORTED_ENTRIES = 10_000
_MOST_KINDS = 200  # of left-out files that are counted apart


@dataclass(frozen=True)
class Found:
    """One file: ``source`` as the user named it, ``relative`` path below it, and what opens it.

    ``problem`` is set for what cannot be read at all, such as a folder without permission; it becomes the error of the
    row. ``state`` is the size in bytes of a file of a storage, and a number that changes with it; None for other files.
    """

    source: str
    relative: str
    reference: str
    kind: MediaKind
    problem: str | None = None
    state: tuple[int, int] | None = None


@dataclass
class Skipped:
    """Counts of files that are neither photograph nor clip, by suffix, and of links that lead to listed files."""

    suffixes: Counter[str] = field(default_factory=Counter)
    links: int = 0

    def add(self, name: str) -> None:
        """Count a file by its suffix."""
        suffix = PurePath(name).suffix.lower() or "no suffix"
        self.suffixes[suffix if suffix in self.suffixes or len(self.suffixes) < _MOST_KINDS else "others"] += 1


@dataclass(frozen=True)
class Shard:
    """Part ``number`` (from 1) of ``count``. A file belongs to a part by its relative path alone."""

    number: int = 1
    count: int = 1

    def has(self, relative: str) -> bool:
        """Return whether a file belongs to this part."""
        return self.count == 1 or zlib.crc32(os.fsencode(relative)) % self.count == self.number - 1


def read_shard(text: str) -> Shard:
    """Return the part that "3/16" names.

    Raises:
        ValueError: not of this form.
    """
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) <= 1_000_000:
        return Shard(int(number), int(count))
    raise ValueError(f"{text!r} is no part, expected I/N such as 3/16, with I from 1 to N")


def list_files(sources: list[str], shard: Shard, skipped: Skipped) -> Iterator[Found]:
    """Yield the files of all sources, each once per source.

    Args:
        sources: folders, files, and addresses.
        shard: the part that is listed.
        skipped: counts what is left out.
    """
    for source in sources:
        for found in _list_source(source, skipped):
            if shard.has(found.relative):
                yield found


def check_sources(sources: list[str]) -> None:
    """Check that every source exists, before work begins.

    Raises:
        SourceError: one does not.
    """
    for source in sources:
        if not is_address(source) and not os.path.lexists(source):
            raise SourceError(f"{source}: no such file or folder. Check the path.")


def _list_source(source: str, skipped: Skipped) -> Iterator[Found]:
    if is_web_address(source):
        yield _web_file(source)
    elif is_address(source):
        yield from _list_remote(source, skipped)
    elif Path(source).is_dir():
        yield from _Walk(source, skipped).files()
    else:
        folder, name = os.path.split(source)
        yield Found(folder or ".", name, source, media_kind(name) or "photograph")


def _web_file(address: str) -> Found:
    name = PurePosixPath(shown(address).partition("?")[0]).name or "picture"
    kind = media_kind(name) or "photograph"
    problem = f"{shown(address)}: a clip; download it first." if kind == "clip" else None
    return Found(shown(address), name, address, kind, problem)


def _list_remote(address: str, skipped: Skipped) -> Iterator[Found]:
    """List a folder of a storage such as s3://bucket/folder."""
    with remote_errors(address):
        opened = open_filesystem()(address)
        system, root, scheme = opened.fs, opened.path.rstrip("/"), address.partition("://")[0]
        if system.isfile(root):
            name = PurePosixPath(root).name
            yield _remote_file(address, name, address, media_kind(root) or "photograph", system.info(root))
            return
        for folder, _, files in system.walk(root, detail=True, on_error="raise"):
            for name in sorted(files):
                path = f"{folder.rstrip('/')}/{name}"
                kind = media_kind(name)
                if name.startswith(".") or kind is None:
                    skipped.add(name)
                    continue
                relative = path.removeprefix(root).lstrip("/")
                yield _remote_file(address, relative, f"{scheme}://{path}", kind, files[name])


def _remote_file(address: str, relative: str, reference: str, kind: MediaKind, facts: dict[str, Any]) -> Found:
    """Return a file of a storage; ``facts`` are what its driver states: a size, and tags or times of change."""
    size = int(facts.get("size") or 0)
    problem = None
    if kind == "clip":
        problem = f"{shown(reference)}: a clip in a storage; copy it to a disk first."
    elif size > MAX_DOWNLOAD_BYTES:
        problem = f"{shown(reference)}: {size:,} bytes, expected a picture of at most {MAX_DOWNLOAD_BYTES:,}."
    stated = [str(facts.get(name)) for name in ("ETag", "etag", "LastModified", "last_modified", "updated", "mtime")]
    state = size, zlib.crc32(" ".join(stated).encode())
    return Found(shown(address), relative, reference, kind, problem, state)


class _Walk:
    """The files below one folder: those of a folder first, then those of its sub-folders."""

    def __init__(self, top: str, skipped: Skipped) -> None:
        self._source = top
        self._top = top.rstrip("/") or "/"
        self._real_top = os.path.realpath(top).rstrip("/") + "/"
        self._skipped = skipped
        self._waiting: list[str] = [""]  # relative paths of folders, the next one last
        self._entered: set[tuple[int, int]] = set()

    def files(self) -> Iterator[Found]:
        """Yield every file once."""
        while self._waiting:
            yield from self._files_of(self._waiting.pop())

    def _files_of(self, folder: str) -> Iterator[Found]:
        path = f"{self._top}/{folder}" if folder else self._top
        folders: list[str] = []
        try:
            status = os.stat(path)  # noqa: PTH116 - millions of paths stay texts
            if (status.st_dev, status.st_ino) in self._entered:
                return
            self._entered.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                first = sorted(islice(entries, _SORTED_ENTRIES), key=lambda entry: entry.name)
                for entry in chain(first, entries):
                    found = self._look_at(entry, f"{folder}/{entry.name}" if folder else entry.name, folders)
                    if found is not None:
                        yield found
        except OSError as error:
            problem = f"{path}: the folder cannot be read ({error.strerror})."
            yield Found(self._source, folder or ".", path, "photograph", problem)
        self._waiting += reversed(folders)

    def _look_at(self, entry: "os.DirEntry[str]", relative: str, folders: list[str]) -> Found | None:
        """Return a file; put a folder into ``folders``; count anything else."""
        name = entry.name
        try:
            if entry.is_dir():
                if not is_system_name(name):
                    folders.append(relative)
                return None
        except OSError:  # a link in a circle
            pass
        kind = media_kind(name)
        if name.startswith(".") or (kind is None and PurePath(name).suffix.lower() not in OTHER_PHOTOGRAPHS):
            self._skipped.add(name)
            return None
        is_inside = entry.is_symlink() and os.path.realpath(entry.path).startswith(self._real_top)
        if is_inside and os.path.exists(entry.path):  # noqa: PTH110 - a million of them; a link to nothing gets an error
            self._skipped.links += 1
            return None
        path = relative if self._top == "." else entry.path
        return Found(self._source, relative, path, kind or "photograph")
