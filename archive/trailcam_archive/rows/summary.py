"""The summary of a job: files by label, and those that could not be read."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from trailcam_archive.rows.columns import FileRecord, ModelFacts
from trailcam_core.files.names import counted

_LISTED = 10  # files with an error


@dataclass
class Summary:
    """Counts of a job. A picture with several boxes counts once for each of its labels."""

    files: int = 0
    by_label: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    first_failures: list[str] = field(default_factory=list)
    notes: int = 0

    def watch(self, records: Iterable[FileRecord], model: ModelFacts) -> Iterator[FileRecord]:
        """Count the records that pass."""
        for item in records:
            self.files += 1
            self.notes += item.record.note is not None
            if item.record.error is not None:
                self.failures += 1
                if len(self.first_failures) < _LISTED:
                    self.first_failures.append(item.record.error)
            self.by_label.update({answer.species(model.score_limit) for answer in item.record.answers})
            yield item

    def lines(self) -> list[str]:
        """Return the summary for people: labels by number, then the first files that could not be read."""
        width = len(f"{max(self.by_label.values(), default=0):,}")
        shown = [f"{count:>{width},}  {label}" for label, count in self.by_label.most_common()]
        if self.failures:
            shown.append(f"{self.failures:,} of {self.files:,} files could not be read:")
            shown += [f"  {error}" for error in self.first_failures]
            if self.failures > len(self.first_failures):
                shown.append(f"  and {self.failures - len(self.first_failures):,} more: see the column Error")
        if self.notes:
            shown.append(f"damaged in part: {counted(self.notes, 'clip')}, see the column Error")
        return shown
