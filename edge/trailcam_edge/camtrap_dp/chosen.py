"""The visits and the effort that a package is made of, by station."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from trailcam_core.errors import DataError
from trailcam_edge.camtrap_dp.rows import Deployments
from trailcam_edge.camtrap_dp.taxa import taxon_of
from trailcam_edge.store.effort import Effort, summarise_effort
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.reviews.records import reviewed_label
from trailcam_edge.store.reviews.tables import standings


@dataclass(frozen=True)
class Selection:
    """Visits with this label, and visits and effort from ``since_s`` until before ``until_s``, in Unix time.

    ``station`` is the only one; None is all of them, and the camera of this machine.
    """

    label: str | None = None
    since_s: float | None = None
    until_s: float | None = None
    station: str | None = None


@dataclass
class StationData:
    """First and last Unix time of the data of one camera, its effort, and whether all of its times are known."""

    effort: Effort | None = None
    span: tuple[float, float] = (inf, -inf)
    times_known: bool = True


@dataclass
class _Species:
    rank: str | None
    labels: set[str] = field(default_factory=set)


class Chosen:
    """The chosen events, read anew for every table, because a store may hold more than fit into memory.

    ``stations`` has the data of each station, by its name, None for the camera of this machine.
    """

    def __init__(self, reader: StoreReader, selection: Selection, taxa: Mapping[str, str]) -> None:
        self._reader = reader
        self._selection = selection
        self._taxa = taxa
        self._species: dict[str, _Species] = {}
        self.number = self.undated = self.deleted = 0
        self.reviews = standings(reader.connection)
        self.stations: dict[str | None, StationData] = {}
        self._read_effort()

    def count(self) -> Iterator[EventRecord]:
        """Yield the dated events and count them."""
        for event in self.dated():
            self.number += 1
            data = self.stations.setdefault(event.station, StationData())
            (start_s, start_basis), (end_s, end_basis) = event.started, event.ended
            first_s, last_s = data.span
            data.span = min(first_s, start_s or 0), max(last_s, end_s or 0)
            data.times_known = data.times_known and {start_basis, end_basis} == {"clock"}
            found = self.reviews.get(event.visit_id)
            label = event.label if found is None else reviewed_label(event.label, found)
            taxon = None if label is None else taxon_of(label, event.bundle, self._taxa)
            if label is not None and taxon is not None:
                self._species.setdefault(taxon.name, _Species(taxon.rank)).labels.add(label)
            yield event

    def check(self, deployments: Deployments) -> None:
        """Check that there is something to write, and a deployment for all of it.

        Raises:
            DataError: nothing, or a station without a deployment, or two of one name.
        """
        if not self.stations:
            raise DataError(
                "There are no visits and no effort with a known date in this time, so there is nothing to write."
            )
        missing = [name or "the camera of this machine" for name in self.stations if name not in deployments]
        if missing:
            cure = '"--stations FILE.csv" with the columns deploymentID, latitude and longitude'
            if None in self.stations:
                cure += ', or "--latitude" and "--longitude" of the camera of this machine'
            raise DataError(
                f"{', '.join(missing)}: without coordinates. A Camera Trap Data Package needs the place of every "
                f"camera: add {cure}."
            )
        names = [deployments[name].deployment_id for name in self.stations]
        if len(set(names)) != len(names):
            raise DataError(f"Two cameras have one deploymentID among {', '.join(sorted(names))}. Rename one of them.")

    def dated(self) -> Iterator[EventRecord]:
        """Yield the events whose date is known and that no reviewer deleted, in order, and count the others."""
        self.undated = self.deleted = 0
        chosen = self._selection
        for event in self._reader.events(chosen.label, chosen.since_s, chosen.until_s, station=chosen.station):
            found = self.reviews.get(event.visit_id)
            if found is not None and found.review.verdict == "deleted":
                self.deleted += 1
            elif event.started.unix_s is None or event.ended.unix_s is None:
                self.undated += 1
            else:
                yield event

    @property
    def span(self) -> tuple[float, float]:
        """First and last Unix time of all data."""
        spans = [data.span for data in self.stations.values()]
        return min(first_s for first_s, _ in spans), max(last_s for _, last_s in spans)

    @property
    def watched_s(self) -> float | None:
        """The effort of all cameras together, None if none was recorded."""
        efforts = [data.effort.watched_s for data in self.stations.values() if data.effort is not None]
        return sum(efforts) if efforts else None

    def taxonomy(self) -> list[dict[str, Any]]:
        """Return one entry for each scientific name, because readers join the observations to it."""
        return [
            {"scientificName": name}
            | ({} if species.rank is None else {"taxonRank": species.rank})
            | {"vernacularNames": {"eng": ", ".join(sorted(species.labels))}}
            for name, species in sorted(self._species.items())
        ]

    def _read_effort(self) -> None:
        chosen = self._selection
        watches, blind = list(self._reader.watches()), list(self._reader.blind_times())
        stations = {each.station for each in watches} | {each.station for each in blind}
        for name in sorted(stations, key=lambda station: station or ""):
            if chosen.station is not None and name != chosen.station:
                continue
            effort = summarise_effort(
                [each for each in watches if each.station == name],
                [each for each in blind if each.station == name],
                chosen.since_s,
                chosen.until_s,
            )
            if effort is not None:
                self.stations[name] = StationData(effort, (effort.start_s, effort.end_s), effort.times_known)
