"""Why ``trailcam events`` lists no visit, in one line."""

import sys

from trailcam_core.files.names import printable
from trailcam_edge.store.reader import StoreReader


def explain_none(reader: StoreReader, label: str | None, is_timed: bool, station: str | None) -> None:
    """Print on stderr why no visit was found; nothing for a store without visits.

    Args:
        reader: of the store.
        label: the only one that was asked for, None for all.
        is_timed: times were asked for; a visit of unknown time is outside of them.
        station: the only one that was asked for, None for all.
    """
    counts = reader.counts()
    if label is not None and label not in counts and counts:
        names = ", ".join(map(printable, counts))
        print(f'trailcam: no visit has the label "{printable(label)}"; the labels are {names}.', file=sys.stderr)
    elif is_timed and any(event.started.unix_s is None for event in reader.events(label, station=station)):
        print(
            "trailcam: visits of unknown time are left out by --since and --until; without them they are listed.",
            file=sys.stderr,
        )
