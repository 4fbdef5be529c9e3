"""Cut the animals out of a folder of photographs, for a field test."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_benchmarks.field.cut_outs.files import write_cut_out
from trailcam_benchmarks.field.types import CutOut
from trailcam_benchmarks.results.rows import Picture
from trailcam_core.errors import DataError, SourceError, reason_of
from trailcam_core.field.cutouts import cut_out_or_reason
from trailcam_core.files.atomic import write_file
from trailcam_core.files.csv_text import csv_line
from trailcam_core.files.names import counted, folder_name
from trailcam_core.images.decode import read_image
from trailcam_core.jobs.progress import Progress, silent

JOURNAL = "cutouts.csv"
Pixels = npt.NDArray[np.uint8]  # (H, W, 4) RGBA

_HEADER = ["folder", "file", "label", "cutout", "refused"]
_LONGEST_PX = 1080  # of a cut-out: no animal of a field test is larger


@dataclass
class CutOutSummary:
    """What became of the photographs: ``made`` and ``refused`` by label, ``earlier`` of them in an earlier run."""

    made: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    earlier: int = 0

    def lines(self) -> list[str]:
        """Return a table of labels, and a sentence about what an earlier run did."""
        labels = sorted({*self.made, *self.refused})
        width = max([len("label"), *map(len, labels)])
        rows = [f"{'label':<{width}}  cut out  refused"]
        rows += [f"{label:<{width}}  {self.made[label]:>7,}  {self.refused[label]:>7,}" for label in labels]
        total = f"{'all':<{width}}  {self.made.total():>7,}  {self.refused.total():>7,}"
        earlier = [f"{counted(self.earlier, 'photograph')} of these in an earlier run."] if self.earlier else []
        return [*rows, total, *earlier]


def make_cut_outs(pictures: Sequence[Picture], root: Path, folder: Path, progress: Progress = silent) -> CutOutSummary:
    """Cut out the animal of each photograph and write it below ``folder`` as LABEL/NAME.png.

    A photograph without a plausible mask is refused. The file ``cutouts.csv`` of ``folder`` has a row for each
    photograph; one that it has is not cut out again, so a stopped run goes on, and a cut-out that was deleted stays so.

    Args:
        pictures: with the label of each.
        root: folder that the names of the cut-outs begin below.
        folder: to write to.
        progress: called for each photograph.

    Raises:
        DataError: ``cutouts.csv`` is of another program or of other photographs, or ``folder`` is below ``root``.
        OSError: the disk is full or read-only.
    """
    if folder.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{folder}: is below {root}, where its cut-outs would be photographs. Name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / JOURNAL
    top = str(root.resolve())
    known = {row[1]: row for row in _read(journal, top)}
    summary = CutOutSummary()
    if not known:
        write_file(journal, csv_line(_HEADER).encode())  # a header that a full disk cut off is of no known program
    taken = {row[3] for row in known.values()}
    with journal.open("a", encoding="utf-8", errors="surrogateescape", newline="") as lines:
        for number, picture in enumerate(pictures):
            progress("cutting out", number, len(pictures), picture.label)
            file = picture.path.relative_to(root).as_posix()
            row = known.get(file)
            if row is None:
                row = [top, file, picture.label, *_make(picture, file, folder, taken)]
                taken.add(row[3])
                lines.write(csv_line(row))
                lines.flush()
            else:
                summary.earlier += 1
            (summary.made if row[3] else summary.refused)[picture.label] += 1
    progress("cutting out", len(pictures), len(pictures))
    return summary


def _make(picture: Picture, file: str, folder: Path, taken: set[str]) -> tuple[str, str]:
    """Return the path of the cut-out below ``folder``, none of ``taken``, and why there is none; one is empty."""
    try:
        found = cut_out_or_reason(read_image(picture.path))
    except SourceError as error:
        return "", str(error)
    if isinstance(found, str):
        return "", f"its mask {found}"
    rgba = _shrink(np.dstack([found.pixels, found.alpha]))
    parts = Path(file).with_suffix("").parts
    name = "__".join(map(folder_name, parts[parts[0] == picture.label :]))
    label = folder_name(picture.label)
    names = (f"{name}-{number}" if number > 1 else name for number in count(1))
    free = next(each for each in names if f"{label}/{each}.png" not in taken)  # a.jpg and a.png are two photographs
    path = write_cut_out(CutOut(rgba, label, free), folder)
    return path.relative_to(folder).as_posix(), ""


def _shrink(rgba: Pixels) -> Pixels:
    longest_px = max(rgba.shape[:2])
    if longest_px <= _LONGEST_PX:
        return rgba
    scale = _LONGEST_PX / longest_px
    size_px = max(1, round(rgba.shape[1] * scale)), max(1, round(rgba.shape[0] * scale))
    return np.asarray(cv2.resize(rgba, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def _read(journal: Path, top: str) -> Iterator[list[str]]:
    """Yield the rows of a journal; a last line that was cut off by a full disk or a kill is left out."""
    try:
        text = journal.read_bytes().decode("utf-8", "surrogateescape")  # a name may have any bytes, and line ends
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except FileNotFoundError:
        return
    except (OSError, csv.Error) as error:
        raise DataError(f"{journal}: cannot be read ({reason_of(error)}). Name another folder.") from error
    if rows and rows[0] != _HEADER:
        raise DataError(f"{journal}: its first line is {rows[0]}, expected {_HEADER}. Name another folder.")
    if not text.endswith("\n"):
        rows = rows[:-1]
        write_file(journal, "".join(map(csv_line, rows)).encode("utf-8", "surrogateescape"))
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(_HEADER):
            raise DataError(
                f"{journal}: line {number} has {len(row)} fields, expected {len(_HEADER)}. Name another folder."
            )
        if row[0] != top:
            raise DataError(f"{journal}: is of the photographs of {row[0]}, expected {top}. Name another folder.")
        yield row
