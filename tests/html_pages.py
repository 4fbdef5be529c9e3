"""Reads a page of ours as a browser would, and refuses one that is not well formed."""

import re
from collections import Counter
from html.parser import HTMLParser

_VOID = {"meta", "img", "wbr"}


class HtmlPage(HTMLParser):
    """Tags, texts, headings, identifiers and addresses of a page or a part of one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.source = page
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.alts: list[str] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "h2":
            self.headings.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.ids.update(value or "" for name, value in attrs if name == "id")
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.alts += [value or "" for name, value in attrs if tag == "img" and name == "alt"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "h2" in self.open:
            self.headings[-1] += data

    @property
    def text(self) -> str:
        """All texts, without tags."""
        return "".join(self.texts)

    def section(self, heading: str) -> "HtmlPage":
        """Return the part below a heading that begins with these words."""
        parts = re.split(r"<h2[^>]*>", self.source.partition("</body>")[0])
        (found,) = (part for part in parts[1:] if part.startswith(heading))
        return HtmlPage(found.partition("</h2>")[2])

    def assert_stands_alone(self) -> None:
        """Refuse a page that loads something, runs something, or points at a place it does not have."""
        assert not re.search(r"https?://|<script|<link|@import|url\((?!#)", self.source)
        assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in self.addresses)
        local = {address[1:] for address in self.addresses if address.startswith("#")}
        local |= set(re.findall(r"url\(#([^)]+)\)", self.source))
        assert {name: self.ids[name] for name in local} == dict.fromkeys(local, 1)
        assert max(self.ids.values(), default=1) == 1
