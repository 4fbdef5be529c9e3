"""Small charts as SVG text, tables and pictures as HTML text, for a page that opens without a network.

Everything that comes from data is escaped here, by the function that puts it into the page. Colours are in
``page.py``.
"""

import base64
import html
import math
from collections.abc import Sequence

import cv2

from trailcam_core.images.resize import Image

__all__ = ["line_chart", "picture", "pictures_in_a_row", "table"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 260, 52, 12, 26, 36
_LEGEND_HEIGHT = 14  # of the name of one line; the first stands beside the title
_MOST_TICKS = 6
_JPEG_QUALITY = 80
_DARK = 0.55  # shade from which white letters are easier to read

Points = Sequence[tuple[float, float]]


def line_chart(
    title: str,
    series: Sequence[tuple[str, Points]],
    x_label: str,
    y_range: tuple[float, float],
    x_range: tuple[float, float],
    diagonal: bool = False,
) -> str:
    """Return one chart as SVG.

    Args:
        title: above the chart.
        series: name and points of each line, at most four.
        x_label: below the chart.
        y_range: values at the lower and upper edge.
        x_range: values at the left and right edge.
        diagonal: whether to draw a thin line from corner to corner.
    """
    above = _TOP + _LEGEND_HEIGHT * (len(series) - 1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_range[0]) / ((x_range[1] - x_range[0]) or 1)
        up = (y - y_range[0]) / ((y_range[1] - y_range[0]) or 1)
        up = min(1.0, max(0.0, up))
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - above - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"><title>{html.escape(title)}</title>']
    parts.append(f'<text x="{_LEFT}" y="15" class="title">{html.escape(title)}</text>')
    for value in _ticks(*y_range):
        _, y = place(x_range[0], value)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for value in _ticks(*x_range):
        x, _ = place(value, y_range[0])
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 15}" text-anchor="middle">{value:.3g}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 4}" text-anchor="middle">{html.escape(x_label)}</text>')
    if diagonal:
        (x1, y1), (x2, y2) = place(x_range[0], y_range[0]), place(x_range[1], y_range[1])
        parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="ideal"/>')
    for number, (name, points) in enumerate(series):
        colour = f"var(--line-{number})"
        placed = [place(x, y) for x, y in points]
        parts.append(
            f'<polyline fill="none" style="stroke:{colour}" stroke-width="2" '
            f'points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed)}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" style="fill:{colour}"/>' for x, y in placed]
        parts.append(
            f'<text x="{_WIDTH - _RIGHT}" y="{15 + _LEGEND_HEIGHT * number}" text-anchor="end" style="fill:{colour}">'
            f"{html.escape(name)}</text>"
        )
    return "".join(parts) + "</svg>"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    shades: Sequence[Sequence[float]] | None = None,
    texts: bool = False,
) -> str:
    """Return an HTML table; the first column names the row.

    Args:
        head: of the columns.
        rows: cells as text.
        shades: darkness 0..1 behind each cell but the first of a row, where given.
        texts: whether the cells are texts, not numbers.
    """
    opening = '<div class="scroll"><table class="texts">' if texts else '<div class="scroll"><table>'
    lines = [opening, "<thead><tr>", *(f"<th>{html.escape(cell)}</th>" for cell in head), "</tr></thead><tbody>"]
    for number, row in enumerate(rows):
        lines.append(f"<tr><th>{html.escape(row[0])}</th>")
        for column, cell in enumerate(row[1:]):
            shade = shades[number][column] if shades else 0.0
            style = f' style="background:rgba(var(--shade),{shade:.2f})"' if shade else ""
            dark = ' class="dark"' if shade > _DARK else ""
            lines.append(f"<td{dark}{style}>{html.escape(cell)}</td>")
        lines.append("</tr>")
    return "".join(lines) + "</tbody></table></div>"


def _ticks(low: float, high: float) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten that lie in a range, at most six."""
    width = high - low or 1.0
    power = 10.0 ** math.floor(math.log10(width / _MOST_TICKS))
    step = next(s for s in (power, 2 * power, 5 * power, 10 * power, 20 * power) if width / s <= _MOST_TICKS - 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def picture(image: Image, caption: str, kind: str = "") -> str:
    """Return an HTML figure that holds the (H, W, 3) uint8 RGB image itself; ``kind`` is small, wide or nothing."""
    shape = f' class="{kind}"' if kind else ""
    return f"<figure{shape}>{_embed(image, caption)}<figcaption>{html.escape(caption)}</figcaption></figure>"


def pictures_in_a_row(images: Sequence[tuple[Image, str]], caption: str) -> str:
    """Return an HTML figure of two or three images side by side, each (H, W, 3) uint8 RGB with a caption of its own."""
    cells = "".join(f"<span>{_embed(image, f'{caption}: {text}')}{html.escape(text)}</span>" for image, text in images)
    kind = "pair" if len(images) == 2 else "wide"
    return (
        f'<figure class="{kind}"><div class="row">{cells}</div><figcaption>{html.escape(caption)}</figcaption></figure>'
    )


def _embed(image: Image, description: str) -> str:
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    data = base64.b64encode(encoded.tobytes()).decode("ascii")
    height, width = image.shape[:2]
    return (
        f'<img width="{width}" height="{height}" alt="{html.escape(description)}" src="data:image/jpeg;base64,{data}">'
    )
