"""Settings of the event store."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from trailcam_core.records import Range, check_ranges

DEFAULT_FOLDER = Path("/var/lib/trailcam")
_MIN_BYTES = 4_000_000  # for the log, a small database and some pictures
_SET_ASIDE_SHARE = 4


_Daily = Annotated[int, Range(0, 1000)]


@dataclass(frozen=True)
class CollectSettings:
    """Section ``[collect]``: the pictures that are kept to learn from, by kind and day.

    Of visits these keep their pictures longest, when pictures are deleted for space: ``random_per_day`` of a random
    order, ``unsure_per_day`` with the least confidence, ``rare_per_day`` of labels with few visits, and
    ``unknown_per_day`` that got no label. Times without a visit give ``quiet_per_day`` pictures of random moments, and
    ``unknown_per_day`` of what moved and got no label, where ``reported_outcomes`` makes no visits of it. With
    ``crops`` only the square around what moved is kept of these.

    Nothing of a time without a visit is kept by default: its pictures may show people, whom only a model with a label
    for them recognises. Without ``people`` such a picture is dropped if the model names people near that moment.
    ``seed`` selects the random moments.
    """

    random_per_day: _Daily = 20
    unsure_per_day: _Daily = 10
    rare_per_day: _Daily = 10
    unknown_per_day: _Daily = 0
    quiet_per_day: _Daily = 0
    crops: bool = False
    people: bool = False
    seed: Annotated[int, Range(0, 2**53)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class StoreSettings:
    """Section ``[store]``: the folder of the event store and its limits; ``docs/events.md`` has the deletion rule.

    ``max_bytes`` covers everything in the folder: database, log, pictures and damaged databases that were set aside.
    ``min_free_bytes`` stays free on the disk for the rest of the system: pictures are deleted for it, except for the
    newest of each label.
    """

    folder: Path = DEFAULT_FOLDER
    max_bytes: Annotated[int, Range(_MIN_BYTES, math.inf)] = 2_000_000_000
    min_free_bytes: Annotated[int, Range(0, math.inf)] = 200_000_000
    jpeg_quality: Annotated[int, Range(1, 100)] = 90

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def max_set_aside_bytes(self) -> int:
        """The part of ``max_bytes`` that damaged databases and their pictures may take."""
        return self.max_bytes // _SET_ASIDE_SHARE
