"""Protect an output: of another program, of another job, or with corrections by hand."""

import json
from pathlib import Path

from trailcam_archive.batch.journal import Journal
from trailcam_archive.batch.listing import Shard
from trailcam_archive.batch.references import shown
from trailcam_core.errors import DataError

_OTHER = 'Name another output, or add "--overwrite" to replace it.'


class OutputGuard:
    """Decides whether a job may write to an output.

    Args:
        output: the file.
        overwrite: the user allows to replace what is there.
    """

    def __init__(self, output: Path, overwrite: bool) -> None:
        self._output = output
        self._overwrite = overwrite

    def check_before(self, journal: type[Journal]) -> None:
        """Check an output that has no journal yet.

        Raises:
            DataError: something is there.
        """
        if self._output.exists() and not journal.path_of(self._output).exists() and not self._overwrite:
            raise DataError(f"{self._output}: exists already, and no journal shows which job wrote it. {_OTHER}")

    def check(self, journal: Journal, identity: str, sources: tuple[str, ...], shard: Shard) -> None:
        """Check an output and the journal that this process holds; ``overwrite`` drops rows of other sources.

        Raises:
            DataError: it belongs to another job, or was changed since it was written.
        """
        former = journal.fact("sources")
        if former is not None and former != _sources(sources, shard):
            if len(journal) and not self._overwrite:  # one without a row is of a source that was not there
                raise DataError(f"{self._output}: belongs to a job over other files ({_listed(former)}). {_OTHER}")
            journal.start_anew()
        written = journal.fact("written")
        if self._overwrite or not self._output.exists():
            return
        if written is None:
            raise DataError(f"{self._output}: exists already, and its job is not at its end. {_OTHER}")
        if written != _state(self._output):
            raise DataError(f"{self._output}: was changed since it was written. {_OTHER}")
        if journal.fact("identity") != identity:
            raise DataError(f"{self._output}: was made with another model or other settings. {_OTHER}")

    def keep_sources(self, journal: Journal, sources: tuple[str, ...], shard: Shard) -> None:
        """Keep what the job is about."""
        journal.keep_fact("sources", _sources(sources, shard))

    def keep_written(self, journal: Journal) -> None:
        """Keep the state of the output that was just written."""
        journal.keep_fact("written", _state(self._output))


def _sources(sources: tuple[str, ...], shard: Shard) -> str:
    """Return sources and shard as text; the secrets of addresses are left out."""
    names = [shown(source).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for source in sources]
    return json.dumps({"sources": names, "shard": [shard.number, shard.count]})


def _listed(sources: str) -> str:
    """Return the names of ``_sources``, or the text itself where a disk has damaged it."""
    try:
        return ", ".join(json.loads(sources)["sources"])
    except (ValueError, TypeError, KeyError):
        return sources


def _state(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"
