"""A Matplotlib figure as SVG inside a page: colours become the page's variables, texts stay texts.

The same figure gives the same bytes. Metadata, comments and identifiers are left out, and so are clips: every axis has
room for its values.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from trailcam_core.report.markup import Html, fill
from trailcam_core.report.style import PALETTE, VARIABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK, _FAINT, _RULE = (PALETTE[name][0] for name in ("ink", "faint", "rule"))
_PX = 72  # per inch of an SVG, so that a point is a pixel
_SETTINGS: Any = {
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _FAINT),
    **dict.fromkeys(("text.color", "xtick.labelcolor", "ytick.labelcolor"), _INK),
    **dict.fromkeys(("axes.facecolor", "figure.facecolor"), "none"),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "text.parse_math"), False),  # a name may hold a dollar
    **dict.fromkeys(("axes.grid", "axes.axisbelow"), True),
    "grid.color": _RULE,
    "font.sans-serif": ["DejaVu Sans"],  # to measure with: it is wide, so that the page's own letters have room
    "font.size": 12,
    "svg.fonttype": "none",
    "svg.hashsalt": "trailcam",
}
_SVG, _HREF = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_DROPPED = ("id", "clip-path", "{http://www.w3.org/XML/1998/namespace}space")


@contextmanager
def new_figure(width: float, height: float) -> Iterator["Figure"]:
    """Give an empty figure of that many pixels, with Matplotlib set as the pages want it until the end of the block."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # not as the user's own file sets it
        mpl.rcParams.update(_SETTINGS)
        yield Figure(figsize=(width / _PX, height / _PX), dpi=_PX, layout="constrained")


def to_svg(figure: "Figure", description: str) -> Html:
    """Return a figure as an SVG element; ``description`` is for readers who do not see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 -- Matplotlib's own
    marks = {element.get("id", ""): element for element in root.iter(f"{_SVG}path")}
    for element in list(root.iter()):
        for child in element.findall(f"{_SVG}defs") + element.findall(f"{_SVG}metadata"):
            element.remove(child)
    for element in root.iter():
        if element.tag == f"{_SVG}use":  # by the mark itself, since identifiers would repeat from chart to chart
            mark = marks[element.get(_HREF, "").removeprefix("#")]
            place = f"translate({element.get('x')} {element.get('y')})"
            style = f"{element.get('style', '')};{mark.get('style', '')}"
            element.tag, element.attrib = "path", {"d": mark.get("d", ""), "transform": place, "style": style}
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = {name: value for name, value in element.attrib.items() if name not in _DROPPED}
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    inside = re.sub(r"\s+", " ", inside).replace("> <", "><")
    for colour, variable in VARIABLES.items():
        inside = inside.replace(colour, variable)
    size = root.get("viewBox", "")
    return fill('<svg viewBox="{}" role="img" aria-label="{}">{}</svg>', size, description, Html(inside))
