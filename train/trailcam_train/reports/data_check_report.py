"""A data check as text for the terminal, and as one HTML page with pictures that needs no network."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import fit_image
from trailcam_core.report.markup import Html, bullets, fill, join, paragraph
from trailcam_core.report.page import box, render_page
from trailcam_core.report.pictures import picture, pictures
from trailcam_core.report.tables import html_table, text_table
from trailcam_core.spec import InputSpec
from trailcam_train.data.data_check import CopyGroup, DataCheck

_THUMBNAIL = InputSpec(96, 96, "letterbox")
_LISTED = 10  # files per list in the terminal
_SHOWN_GROUPS = 60  # groups of copies with pictures; each picture is about 3 kB of the page
_SHOWN_FILES = 12  # pictures per group, and of small or extreme ones
_SHOWN_NAMES = 500
_SPREAD_HEAD = ("", "smallest", "5 %", "median", "95 %", "largest")


def render_text(check: DataCheck) -> str:
    """Return the check as lines for a terminal."""
    lines = [f"{check.root}: {check.pictures:,} pictures in {len(check.classes):,} classes", ""]
    lines += text_table([("class", "pictures", "fraction", "scenes"), *_class_rows(check)])
    lines += ["", *text_table([_SPREAD_HEAD, *_spread_rows(check)])]
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
    lead = [paragraph(f"{check.pictures:,} readable pictures in {len(check.classes):,} classes.", "lead")]
    if check.problems:
        lead.append(box("Problems: training would refuse this folder", [bullets(check.problems)], "fail"))
    if check.notes:
        lead.append(box("Notes", [bullets(check.notes)], "inconclusive"))
    within = [group for group in check.copies if not group.crosses_classes]
    sections = [
        ("Classes", html_table(["class", "pictures", "fraction", "scenes, copies counted once"], _class_rows(check))),
        ("Sizes", html_table(_SPREAD_HEAD, _spread_rows(check))),
        _groups(check.root, check.crossing, "One photograph, two labels: at least one is wrong"),
        _names("Unreadable", ["file", "reason"], [[item.file, item.reason] for item in check.unreadable]),
        _names("No pictures, or outside a class folder", ["file"], [[file] for file in check.odd]),
        _pictures(check.root, check.small, "Small pictures"),
        _pictures(check.root, check.extreme, "Very long or very tall pictures"),
        _groups(check.root, within, "Copies within a class"),
    ]
    return render_page("Data check", check.root.name, lead, sections)


def _class_rows(check: DataCheck) -> list[tuple[str, ...]]:
    every = max(1, check.pictures)
    return [
        (item.label, f"{item.pictures:,}", f"{item.pictures / every:.1%}", f"{item.scenes:,}") for item in check.classes
    ]


def _spread_rows(check: DataCheck) -> list[tuple[str, ...]]:
    rows = [("width, px", check.width_px, ",.0f"), ("height, px", check.height_px, ",.0f")]
    rows.append(("width/height", check.aspect, ".2f"))
    return [
        (name, *(f"{value:{form}}" for value in (s.minimum, s.p5, s.median, s.p95, s.maximum)))
        for name, s, form in rows
        if s is not None
    ]


def _describe(group: CopyGroup) -> str:
    kind = "equal files" if group.exact else f"likeness {group.correlation:.2f}"
    more = f" and {len(group.files) - 4:,} more" if len(group.files) > 4 else ""
    return f"{', '.join(group.files[:4])}{more} ({kind}{', mirrored' if group.mirrored else ''})"


def _listed(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    lines = ["", f"{title} ({len(items):,})", *(f"  {item}" for item in items[:_LISTED])]
    if len(items) > _LISTED:
        lines.append(f"  and {len(items) - _LISTED:,} more; --json lists all, --report shows them")
    return lines


def _names(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, Html]:
    table = html_table(head, rows[:_SHOWN_NAMES], kind="texts")
    return f"{title} ({len(rows):,})", _first(_SHOWN_NAMES, rows) + table if rows else Html()


def _pictures(root: Path, files: Sequence[str], title: str) -> tuple[str, Html]:
    thumbnails = _thumbnails(root, files[:_SHOWN_FILES])
    return f"{title} ({len(files):,})", _first(_SHOWN_FILES, files) + thumbnails if files else Html()


def _groups(root: Path, groups: Sequence[CopyGroup], title: str) -> tuple[str, Html]:
    shown = []
    for group in groups[:_SHOWN_GROUPS]:
        kind = "Equal files" if group.exact else f"Likeness of the weakest link {group.correlation:.2f}"
        kind += ", one is mirrored" if group.mirrored else ""
        more = f" The first {_SHOWN_FILES} of {len(group.files):,}." if len(group.files) > _SHOWN_FILES else ""
        parts = [paragraph(f"{kind}.{more}"), _thumbnails(root, group.files[:_SHOWN_FILES])]
        shown.append(fill('<div class="box {}">{}</div>', "fail" if group.crosses_classes else "", join(parts)))
    boxes = fill('<div class="groups">{}</div>', join(shown))
    return f"{title} ({len(groups):,})", _first(_SHOWN_GROUPS, groups) + boxes if groups else Html()


def _first(count: int, items: Sequence[object]) -> Html:
    return paragraph(f"The first {count:,} of them:") if len(items) > count else Html()


def _thumbnails(root: Path, files: Iterable[str]) -> Html:
    return pictures(
        (picture(fit_image(read_image(root / file, _THUMBNAIL), _THUMBNAIL), [("file", file)]) for file in files),
        "small",
    )
