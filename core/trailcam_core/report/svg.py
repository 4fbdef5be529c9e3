"""A Matplotlib figure as SVG inside a page: colours become the page's variables, texts stay texts.

The same figure gives the same bytes. What a browser does not need is left out: metadata, comments, and identifiers,
which would repeat from chart to chart; those that a clip or a marker refers to begin with a digest of the chart.
"""

import hashlib
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
    "svg.fonttype": "none",
    "svg.hashsalt": "trailcam",
    "text.parse_math": False,  # a label may hold a dollar
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "text.color": _INK,
    "axes.labelcolor": _FAINT,
    "axes.edgecolor": _FAINT,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2,
}
_DROPPED = ("font-family", "stroke-linejoin", "stroke-miterlimit", "stroke-linecap")


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
    """Return a figure as an SVG element; ``description`` stands for it where it is not seen."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 -- Matplotlib's own
    wanted = set(re.findall(rb'(?:url\(|href=")#(\w+)', buffer.getvalue()))
    prefix = f"c{hashlib.sha256(buffer.getvalue()).hexdigest()[:8]}-"
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = dict(_attributes(element.attrib, prefix, {name.decode() for name in wanted}))
    box = root.get("viewBox", "")
    shown = [child for child in root if child.tag != "metadata" and child.find("style") is None]
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in shown)
    return fill('<svg viewBox="{}" role="img" aria-label="{}">{}</svg>', box, description, Html(_tidy(inside)))


def _attributes(attributes: dict[str, str], prefix: str, wanted: set[str]) -> Iterator[tuple[str, str]]:
    for name, value in attributes.items():
        short = name.rpartition("}")[2]
        if short == "id":
            if value in wanted:
                yield short, prefix + value
        elif short == "style":
            yield short, ";".join(_declarations(value))
        elif short != "space":
            yield short, re.sub(r"(^|url\()#", rf"\1#{prefix}", value)


def _declarations(style: str) -> Iterator[str]:
    for declaration in filter(None, map(str.strip, style.split(";"))):
        name, _, value = declaration.partition(": ")
        if name == "font":
            size = re.search(r"[\d.]+px", value)
            yield f"font-size:{size.group() if size else '12px'}"
        elif name not in _DROPPED:
            yield f"{name}:{VARIABLES.get(value, value)}"


def _tidy(text: str) -> str:
    return re.sub(r">\s+<", "><", text)
