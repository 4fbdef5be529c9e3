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

__all__ = ["new_figure", "to_svg"]

_INK, _FAINT, _RULE = (PALETTE[name][0] for name in ("ink", "faint", "rule"))
_PX = 72  # per inch of an SVG, so that a point is a pixel
_SETTINGS: Any = {
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _FAINT),
    **dict.fromkeys(("text.color", "xtick.labelcolor", "ytick.labelcolor"), _INK),
    **dict.fromkeys(("axes.facecolor", "figure.facecolor"), "none"),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "text.parse_math"), False),  # a name may hold a dollar
    **dict.fromkeys(("axes.grid", "axes.axisbelow"), True),
    "grid.color": _RULE,
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
        if element.tag == f"{_SVG}use":
            _place_mark(element, marks[element.get(_HREF, "").removeprefix("#")])
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = {name: value for name, value in element.attrib.items() if name not in _DROPPED}
        if "style" in element.attrib:
            element.set("style", _style(element.attrib["style"]))
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    size = root.get("viewBox", "")
    return fill(
        '<svg viewBox="{}" role="img" aria-label="{}">{}</svg>',
        size,
        description,
        Html(re.sub(r"\s+", " ", inside).replace("> <", "><")),
    )


def _place_mark(use: ElementTree.Element, mark: ElementTree.Element) -> None:
    """Replace a reference to a marker by the marker: identifiers would repeat from chart to chart."""
    x, y, style = (use.get(name, "") for name in ("x", "y", "style"))
    use.tag = f"{_SVG}path"
    use.attrib = {"d": mark.get("d", ""), "transform": f"translate({x} {y})"}
    use.set("style", f"{style};{mark.get('style', '')}")


def _style(style: str) -> str:
    """Return the declarations of one element: the size of letters but not their font, and variables for colours."""
    kept = []
    for declaration in filter(None, map(str.strip, style.split(";"))):
        name, _, value = declaration.partition(": ")
        if name == "font":
            size = re.search(r"[\d.]+px", value)
            kept.append(f"font-size:{size.group() if size else '12px'}")
        elif name != "font-family" and not name.startswith("stroke-line"):
            kept.append(f"{name}:{VARIABLES.get(value, value)}")
    return ";".join(kept)
