"""HTML as nested calls: every text and attribute is escaped, only ``Html`` is taken as it is."""

import html
from collections.abc import Iterable
from typing import TypeAlias

_VOID = frozenset({"br", "img", "input", "link", "meta"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "Html | str | int | Iterable[Child] | None"
Attribute: TypeAlias = str | int | float | bool | None


def tag(_name: str, *children: Child, **attributes: Attribute) -> Html:
    """Return an element.

    Args:
        children: elements, texts, which are escaped, and iterables of them; None is left out.
        attributes: by name, with ``_`` for ``-`` and a trailing ``_`` where the name is one of Python's; None and False
            leave it out, True writes the name alone.
    """
    start = "".join(_attribute(name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    if _name in _VOID:
        return Html(f"<{_name}{start}>")
    return Html(f"<{_name}{start}>{join(children)}</{_name}>")


def join(children: Iterable[Child]) -> Html:
    """Return children one after the other."""
    return Html("".join(map(_text, children)))


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int):
        return html.escape(str(child))
    return join(child)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
