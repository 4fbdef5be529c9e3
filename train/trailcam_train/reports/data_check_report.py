"""A data check for people: a table for the terminal, and one HTML page with pictures that needs no network."""

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import fit_image
from trailcam_core.spec import InputSpec
from trailcam_train.data.data_check import CopyGroup, DataCheck, Spread
from trailcam_train.reports.charts import picture, table
from trailcam_train.reports.page import render_page

__all__ = ["render_html", "render_text"]

_THUMBNAIL = InputSpec(96, 96, "letterbox")
_LISTED = 10  # files per list in the terminal
_SHOWN_GROUPS = 60  # groups of copies with pictures; each picture is about 3 kB of the page
_SHOWN_FILES = 12  # pictures per group, and of small or extreme ones
_SHOWN_NAMES = 500


def render_text(check: DataCheck) -> str:
    """Return the check as lines for a terminal."""
    width = max([len("class"), *(len(item.label) for item in check.classes)])
    lines = [
        f"{check.root}: {check.pictures:,} pictures in {len(check.classes):,} classes",
        "",
        f"{'class':<{width}}  pictures  share  scenes",
    ]
    for item in check.classes:
        share = item.pictures / max(1, check.pictures)
        lines.append(f"{item.label:<{width}}  {item.pictures:>8,}  {share:>5.1%}  {item.scenes:>6,}")
    lines += ["", "               smallest      5 %   median     95 %  largest"]
    for name, spread, form in _spreads(check):
        values = (spread.minimum, spread.p5, spread.median, spread.p95, spread.maximum)
        lines.append(f"{name:<14}" + "".join(f"{value:>9{form}}" for value in values))
    lines += _listed("unreadable", [f"{item.file}: {item.reason}" for item in check.unreadable])
    lines += _listed("no pictures, or outside a class folder", check.odd)
    lines += _listed("one photograph, two labels", [_describe(group) for group in check.crossing])
    within = [group for group in check.copies if not group.crosses_classes]
    lines += _listed("copies within a class", [_describe(group) for group in within])
    lines += ["", *(f"PROBLEM  {text}" for text in check.problems), *(f"note     {text}" for text in check.notes)]
    if not check.problems and not check.notes:
        lines.append("nothing to complain about")
    return "\n".join(lines)


def render_html(check: DataCheck) -> str:
    """Return the check as a page; it holds its thumbnails itself.

    Raises:
        SourceError: a picture that was read a moment ago can no longer be read.
    """
    classes = [
        [item.label, f"{item.pictures:,}", f"{item.pictures / max(1, check.pictures):.1%}", f"{item.scenes:,}"]
        for item in check.classes
    ]
    sizes = [
        [name, *(f"{value:{form}}" for value in (s.minimum, s.p5, s.median, s.p95, s.maximum))]
        for name, s, form in _spreads(check)
    ]
    within = [group for group in check.copies if not group.crosses_classes]
    parts = [
        f"<p>{check.pictures:,} readable pictures in {len(check.classes):,} classes.</p>",
        _texts(check.problems, "Problems: training would refuse this folder"),
        _texts(check.notes, "Notes"),
        "<h2>Classes</h2>" + table(["class", "pictures", "share", "scenes, copies counted once"], classes),
        "<h2>Sizes</h2>" + table(["", "smallest", "5 %", "median", "95 %", "largest"], sizes),
        _groups(check.root, check.crossing, "One photograph, two labels: at least one is wrong"),
        _names("Unreadable", ["file", "reason"], [[item.file, item.reason] for item in check.unreadable]),
        _names("No pictures, or outside a class folder", ["file"], [[file] for file in check.odd]),
        _pictures(check.root, check.small, "Small pictures"),
        _pictures(check.root, check.extreme, "Very long or very tall pictures"),
        _groups(check.root, within, "Copies within a class"),
    ]
    return render_page(f"Data check of {check.root.name}", parts)


def _spreads(check: DataCheck) -> list[tuple[str, Spread, str]]:
    rows = [("width, px", check.width_px, ",.0f"), ("height, px", check.height_px, ",.0f")]
    rows.append(("width/height", check.aspect, ".2f"))
    return [(name, spread, form) for name, spread, form in rows if spread is not None]


def _describe(group: CopyGroup) -> str:
    kind = "equal files" if group.exact else f"likeness {group.likeness:.2f}"
    more = f" and {len(group.files) - 4:,} more" if len(group.files) > 4 else ""
    return f"{', '.join(group.files[:4])}{more} ({kind}{', mirrored' if group.mirrored else ''})"


def _listed(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    lines = ["", f"{title} ({len(items):,})", *(f"  {item}" for item in items[:_LISTED])]
    if len(items) > _LISTED:
        lines.append(f"  and {len(items) - _LISTED:,} more; --json lists all, --report shows them")
    return lines


def _texts(texts: Iterable[str], title: str) -> str:
    items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
    return f"<h2>{title}</h2><ul>{items}</ul>" if items else ""


def _names(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    more = f"<p>The first {_SHOWN_NAMES:,} of them:</p>" if len(rows) > _SHOWN_NAMES else ""
    return f"<h2>{title} ({len(rows):,})</h2>{more}{table(head, rows[:_SHOWN_NAMES], texts=True)}"


def _pictures(root: Path, files: Sequence[str], title: str) -> str:
    if not files:
        return ""
    more = f"<p>The first {_SHOWN_FILES} of them:</p>" if len(files) > _SHOWN_FILES else ""
    return f"<h2>{title} ({len(files):,})</h2>{more}{_thumbnails(root, files[:_SHOWN_FILES])}"


def _groups(root: Path, groups: Sequence[CopyGroup], title: str) -> str:
    if not groups:
        return ""
    shown = []
    for group in groups[:_SHOWN_GROUPS]:
        kind = "Equal files" if group.exact else f"Likeness of the weakest link {group.likeness:.2f}"
        kind += ", one is mirrored" if group.mirrored else ""
        more = f" The first {_SHOWN_FILES} of {len(group.files):,}." if len(group.files) > _SHOWN_FILES else ""
        wrong = " wrong" if group.crosses_classes else ""
        thumbnails = _thumbnails(root, group.files[:_SHOWN_FILES])
        shown.append(f'<div class="group{wrong}"><p>{kind}.{more}</p>{thumbnails}</div>')
    more = f"<p>The first {_SHOWN_GROUPS} of them:</p>" if len(groups) > _SHOWN_GROUPS else ""
    return f"<h2>{title} ({len(groups):,})</h2>{more}{''.join(shown)}"


def _thumbnails(root: Path, files: Iterable[str]) -> str:
    return "".join(picture(fit_image(read_image(root / file, _THUMBNAIL), _THUMBNAIL), file, "small") for file in files)
