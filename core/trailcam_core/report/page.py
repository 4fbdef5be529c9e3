"""The frame of every page: one file that opens without a network, by day and by night, on a telephone too."""

from collections.abc import Iterable, Sequence

from trailcam_core.report.markup import Html, badge, fill, join
from trailcam_core.report.style import style_sheet

_FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>{}: {}</title><style>{}</style></head><body>
<p class="kind">{}</p><h1>{}</h1>{}{}{}</body></html>
"""
_LONG = 4  # sections from which a page gets a table of contents


def render_page(kind: str, title: str, lead: Iterable[str], sections: Iterable[tuple[str, str]]) -> str:
    """Return a whole page.

    Args:
        kind: of page, such as "Benchmark"; above the title.
        title: as text.
        lead: above the first section.
        sections: heading and body of each; one with an empty body is left out.
    """
    shown = [(heading, body) for heading, body in sections if body]
    contents = join(fill('<a href="#s{}">{}</a>', number, heading) for number, (heading, _) in enumerate(shown))
    nav = fill("<nav>{}</nav>", contents) if len(shown) >= _LONG else ""
    body = join(_section(number, heading, text) for number, (heading, text) in enumerate(shown))
    return fill(_FRAME, title, kind, Html(style_sheet()), kind, title, join(lead), nav, body)


def box(heading: str, parts: Sequence[str], verdict: str = "", mark: bool = False) -> Html:
    """Return a framed part of a page, in the colour of a verdict; ``mark`` adds the verdict as a word."""
    word = fill(" {}", badge(verdict)) if mark else ""
    return fill('<section class="box {}"><h3>{}{}</h3>{}</section>', verdict, heading, word, join(parts))


def _section(number: int, heading: str, body: str) -> Html:
    return fill('<h2 id="s{}">{}</h2>{}', number, heading, body)
