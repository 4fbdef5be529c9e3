"""A page of all cut-outs of a folder, for a check by eye before a model classifies them."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from trailcam_benchmarks.field.cut_outs.files import read_cut_out
from trailcam_benchmarks.field.types import CutOut, Image
from trailcam_core.errors import SourceError
from trailcam_core.files.names import counted
from trailcam_core.report.markup import Html, paragraph
from trailcam_core.report.page import render_page
from trailcam_core.report.pictures import picture, pictures

PAGE = "index.html"
_SIDE_PX = 128
_BEHIND = (200, 60, 200)  # a colour that no animal has: remains of the surroundings are visible


def render_cut_outs(folder: Path) -> str:
    """Return the page of the cut-outs that are in ``folder`` now, as HTML text."""
    found = _read(folder)
    lead = [
        paragraph(f"{counted(len(found), 'cut-out')}, cut by an algorithm that knows no animals.", "lead"),
        paragraph(
            "Delete the files of those that are no animal, only a part of one, or more than one: each is named below "
            "its picture. Decide by the picture alone, not by the answer of a model, or the test flatters. "
            "The same command does not make deleted ones again."
        ),
    ]
    sections = [
        (f"{label} ({len(group)})", pictures(map(_figure, group), "small"))
        for label, group in ((label, tuple(group)) for label, group in groupby(found, key=lambda item: item.label))
    ]
    return render_page("Cut-outs", str(folder), lead, sections)


def _read(folder: Path) -> Sequence[CutOut]:
    found = []
    for path in sorted(folder.glob("*/*.png")):
        try:
            found.append(read_cut_out(path))
        except SourceError:
            continue  # too small to be used
    return found


def _figure(cut_out: CutOut) -> Html:
    return picture(_thumbnail(cut_out), [("file", f"{cut_out.label}/{cut_out.name}.png")])


def _thumbnail(cut_out: CutOut) -> Image:
    """Return a cut-out before one colour, (H, W, 3) uint8 RGB, its longer side ``_SIDE_PX``."""
    height, width = cut_out.rgba.shape[:2]
    scale = _SIDE_PX / max(height, width)
    size_px = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(cut_out.rgba, size_px, interpolation=cv2.INTER_AREA), np.float32)
    alpha = small[..., 3:] / 255
    return np.asarray(small[..., :3] * alpha + np.array(_BEHIND, np.float32) * (1 - alpha), np.uint8)
