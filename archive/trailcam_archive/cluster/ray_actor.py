"""The actor on a node of the cluster: one worker process with the model, for one core.

The model's files come from the driver, so only Trailcam itself must be installed on the nodes. Pictures are opened by
path or address, so they are on a storage that every node sees.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from trailcam_archive.batch.pool import WorkerPool
from trailcam_archive.batch.tasks import ROWS_VERSION, AnalysisSettings, Task

_WAIT_S = 1.0


class ArchiveActor:
    """Analyses tasks one after the other.

    Args:
        settings: JSON of the analysis; its model is replaced by the copy of this node.
        files: content of the model's files by name.
    """

    def __init__(self, settings: str, files: dict[str, bytes]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="trailcam-model-")
        folder = Path(self._folder.name)
        for name, content in files.items():
            (folder / Path(name).name).write_bytes(content)
        wanted = AnalysisSettings.from_json(settings)
        self._pool = WorkerPool(replace(wanted, model=wanted.model.below(folder)), 1)

    def version(self) -> int:
        """Return the version of the records that this node makes."""
        return ROWS_VERSION

    def analyse(self, tasks: list[str]) -> list[str]:
        """Return the records of tasks, both as JSON, in their order; no process on the way reads a record.

        Raises:
            DeviceError: the worker process cannot run.
        """
        todo = [Task.from_json(text) for text in tasks]
        records: dict[int, str] = {}
        position = 0
        while len(records) < len(todo):
            while position < len(todo) and self._pool.wanted():
                self._pool.submit(todo[position])
                position += 1
            records.update((id(task), record) for task, record in self._pool.wait(_WAIT_S))
        return [records[id(task)] for task in todo]

    def end(self) -> None:
        """End the worker process and remove the copy of the model."""
        self._pool.close()
        self._folder.cleanup()
