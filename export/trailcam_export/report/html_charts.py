"""Small charts as SVG text and tables as HTML text, for a page that opens without a network, by day and by night.

Everything that comes from data is escaped here, by the function that puts it into the page. Colours are classes, which
the page's style sheet fills for light and dark.
"""

import base64
import html
from collections.abc import Sequence

import cv2

from trailcam_core.images.resize import Image

__all__ = ["badge", "bar_chart", "interval_chart", "picture", "size_text", "table"]

_WIDTH = 460
_ROW, _TOP, _BOTTOM = 20, 28, 34  # px of a row of intervals, above the first and below the last
_LEFT, _RIGHT = 118, 12
_BAR_HEIGHT = 200
_JPEG_QUALITY = 80
_NAME_CHARACTERS = 18
_APART = 45  # px that two numbers below a chart need
_AIR = 0.04  # of the range, beside the outermost ends


def interval_chart(
    title: str, rows: Sequence[tuple[str, float, float, float]], x_label: str, bar: float | None = None
) -> str:
    """Return values with their intervals, one row each, as SVG.

    Args:
        title: above the chart.
        rows: name, lower end, value, upper end; at least one.
        x_label: below the chart.
        bar: a limit to draw, in the unit of the values.
    """
    marks = [0.0] if bar is None else [0.0, bar]
    low = min(*(row[1] for row in rows), *marks, -1e-9)
    high = max(*(row[3] for row in rows), *marks, 1e-9)
    low, high = low - _AIR * (high - low), high + _AIR * (high - low)
    height = _TOP + _ROW * len(rows) + _BOTTOM

    def across(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    parts = [_open(title, height)]
    for value in (low, 0.0, high):
        x, anchor = across(value), "start" if value == low else "end" if value == high else "middle"
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 4}" x2="{x:.1f}" y2="{height - _BOTTOM}" class="grid"/>')
        told = f"{value:+.3g}" if value else "0"
        if value or min(across(0) - across(low), across(high) - across(0)) > _APART:
            parts.append(f'<text x="{x:.1f}" y="{height - _BOTTOM + 14}" text-anchor="{anchor}">{told}</text>')
    if bar is not None:
        x = across(bar)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 4}" x2="{x:.1f}" y2="{height - _BOTTOM}" class="limit"/>')
    for number, (name, row_low, value, row_high) in enumerate(rows):
        y = _TOP + _ROW * number + _ROW / 2
        kind = "worse" if row_high < 0 else "better" if row_low > 0 else "same"
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{html.escape(_shorten(name))}</text>')
        parts.append(
            f'<line x1="{across(row_low):.1f}" y1="{y:.1f}" x2="{across(row_high):.1f}" y2="{y:.1f}" class="{kind}"/>'
            f'<circle cx="{across(value):.1f}" cy="{y:.1f}" r="3.5" class="{kind}"/>'
        )
    parts.append(f'<text x="{_WIDTH / 2}" y="{height - 4}" text-anchor="middle">{html.escape(x_label)}</text>')
    return "".join(parts) + "</svg>"


def bar_chart(title: str, bars: Sequence[tuple[str, int]], x_label: str) -> str:
    """Return counts as upright bars, as SVG; each bar carries its count.

    Args:
        title: above the chart.
        bars: name and count, at least one.
        x_label: below the chart.
    """
    height, tallest = _BAR_HEIGHT + _TOP + _BOTTOM, max(1, *(count for _, count in bars))
    width = (_WIDTH - 2 * _RIGHT) / len(bars)
    floor = height - _BOTTOM
    parts = [_open(title, height)]
    for number, (name, count) in enumerate(bars):
        size = (_BAR_HEIGHT - 16) * count / tallest
        size = max(size, 1.5) if count else 0.0  # one picture must not vanish beside two thousand
        x = _RIGHT + number * width
        parts.append(
            f'<rect x="{x + 2:.1f}" y="{floor - size:.1f}" width="{width - 4:.1f}" height="{size:.1f}" class="same"/>'
            f'<text x="{x + width / 2:.1f}" y="{floor - size - 4:.1f}" text-anchor="middle">{count:,}</text>'
            f'<text x="{x + width / 2:.1f}" y="{floor + 13}" text-anchor="middle">{html.escape(name)}</text>'
        )
    parts.append(f'<line x1="{_RIGHT}" y1="{floor}" x2="{_WIDTH - _RIGHT}" y2="{floor}" class="grid"/>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{height - 4}" text-anchor="middle">{html.escape(x_label)}</text>')
    return "".join(parts) + "</svg>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], shades: Sequence[Sequence[float]] | None = None) -> str:
    """Return an HTML table that scrolls sideways where it must; the first column names the row.

    Args:
        head: of the columns.
        rows: cells as text; one that begins with ``!`` carries a verdict and is drawn as such.
        shades: strength 0..1 behind each cell but the first of a row, where given.
    """
    lines = ['<div class="scroll"><table><thead><tr>', *(f"<th>{html.escape(cell)}</th>" for cell in head)]
    lines.append("</tr></thead><tbody>")
    for number, row in enumerate(rows):
        lines.append(f"<tr><th>{html.escape(row[0])}</th>")
        for column, cell in enumerate(row[1:]):
            shade = shades[number][column] if shades else 0.0
            style = f' style="background:rgba(var(--shade),{shade:.2f})"' if shade else ""
            text = badge(cell[1:]) if cell.startswith("!") else html.escape(cell)
            lines.append(f"<td{style}>{text}</td>")
        lines.append("</tr>")
    return "".join(lines) + "</tbody></table></div>"


def size_text(size_bytes: int) -> str:
    """Return the size of a file for people."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def badge(verdict: str) -> str:
    """Return a verdict as a coloured word."""
    return f'<span class="badge {html.escape(verdict)}">{html.escape(verdict)}</span>'


def picture(image: Image, lines: Sequence[tuple[str, str]]) -> str:
    """Return an HTML figure that holds the (H, W, 3) uint8 RGB image itself, with lines of text: class and text."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    data = base64.b64encode(encoded.tobytes()).decode("ascii")
    caption = "".join(f'<span class="{kind}">{html.escape(text)}</span>' for kind, text in lines)
    told = html.escape("; ".join(text for _, text in lines))
    return f'<figure><img alt="{told}" src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def _open(title: str, height: float) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img"><title>{html.escape(title)}</title>'
        f'<text x="0" y="14" class="title">{html.escape(title)}</text>'
    )


def _shorten(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else name[: _NAME_CHARACTERS - 1] + "…"
