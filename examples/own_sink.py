"""Send events to another kind of sink: ``python examples/own_sink.py clip.mp4 STORE visits.csv``.

The store is the queue: a sink that fails gets the same event again, and after a restart it continues where it stopped.
"""

import csv
import sys
import time
from functools import partial
from pathlib import Path

from trailcam import Classifier
from trailcam_edge.events import Visit
from trailcam_edge.recognition.loop import watch
from trailcam_edge.sinks.worker import SinkError, SinkWorker
from trailcam_edge.sources import open_source
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.records import EventRecord, iso_time
from trailcam_edge.store.settings import StoreSettings


class CsvSink:
    """Append each visit to a CSV file."""

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, f"csv {path}"  # the name is the key of the progress in the store

    def deliver(self, event: EventRecord) -> None:
        """Append one row; ``SinkError`` means that the event has to come again."""
        try:
            with open(self._path, "a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(
                    [event.visit_id, iso_time(event.started.unix_s), event.label, event.confidence]
                )
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be written ({error}).") from error

    def close(self) -> None:
        """Do nothing: the file is not kept open."""


def main(source: str, folder: Path, path: Path) -> int:
    """Store the visits of a source and deliver them; 1 if the sink fails."""
    store = EventStore(StoreSettings(folder))
    worker = SinkWorker(CsvSink(path), lambda: store, backlog=True)
    for event in watch(partial(open_source, source, print), Classifier.open()):
        if isinstance(event, Visit):
            store.add_visit(event)
            worker.wake()
    deadline_s = time.monotonic() + 10.0
    while store.acknowledged(worker.status().name) != store.last_event_id() and time.monotonic() < deadline_s:
        time.sleep(0.1)
    worker.close()
    store.close()
    return 0 if worker.status().error is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
