"""Text that is HTML, and the only functions that turn data into it: every other string is escaped on its way in."""

import html
import re
from collections.abc import Iterable


class Html(str):
    """A string that is HTML already. Data becomes such a string through ``fill`` alone."""

    __slots__ = ()

    def __add__(self, other: str) -> "Html":
        return join([self, other])


def fill(template: str, /, *values: object, **named: object) -> Html:
    """Return a template of ours with its ``{}`` fields filled in; texts are escaped, HTML and numbers are not.

    Args:
        template: HTML from source code, never from data; fields may carry a format such as ``{:.1%}``.
        values: for fields without a name.
        named: for fields with one.
    """
    escaped = {name: _escape(value) for name, value in named.items()}
    return Html(template.format(*map(_escape, values), **escaped))


def join(parts: Iterable[str], between: str = "") -> Html:
    """Return parts one after the other, those that are not HTML escaped."""
    return Html(between.join(str(_escape(part)) for part in parts))


def paragraph(text: str, kind: str = "") -> Html:
    """Return a paragraph; ``kind`` is its class in the style sheet: lead, hint or nothing."""
    return fill('<p class="{}">{}</p>', kind, text) if kind else fill("<p>{}</p>", text)


def bullets(items: Iterable[str]) -> Html:
    """Return a list, or nothing for no items."""
    lines = join(fill("<li>{}</li>", item) for item in items)
    return fill("<ul>{}</ul>", lines) if lines else lines


def badge(verdict: str) -> Html:
    """Return a verdict as a coloured word: pass, fail, inconclusive."""
    return fill('<span class="badge {}">{}</span>', verdict, verdict)


def breakable(text: str) -> Html:
    """Return a text in which a line may end within a long name, after a slash or an underscore."""
    return text if isinstance(text, Html) else Html(re.sub("([/_])", r"\1<wbr>", html.escape(text)))


def _escape(value: object) -> object:
    return html.escape(value) if isinstance(value, str) and not isinstance(value, Html) else value
