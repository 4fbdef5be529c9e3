"""A table of texts as HTML, as columns for a terminal, and as Markdown; the first column names the row."""

from collections.abc import Iterable, Sequence

from trailcam_core.report.markup import Html, breakable, fill, join

_STRONG = 0.55  # shade from which white letters are easier to read

Rows = Iterable[Sequence[str]]


def html_table(
    head: Sequence[str], rows: Rows, shades: Sequence[Sequence[float]] | None = None, kind: str = "numbers"
) -> Html:
    """Return an HTML table that scrolls sideways in its own box.

    Args:
        head: of the columns; of empty texts for none.
        rows: cells, each as many as ``head``; those that are not HTML are escaped.
        shades: strength 0..1 behind each cell but the first of a row, where given.
        kind: numbers; texts, which may wrap; or matrix, whose column names are turned upright.
    """
    lines = []
    for number, (name, *cells) in enumerate(rows):
        behind = shades[number] if shades is not None else [0.0] * len(cells)
        shown = name if kind == "texts" else breakable(name)
        lines.append(fill("<tr><th>{}</th>{}</tr>", shown, join(map(_cell, cells, behind))))
    top = fill("<thead><tr>{}</tr></thead>", join(fill("<th>{}</th>", cell) for cell in head)) if any(head) else ""
    return fill('<div class="scroll"><table class="{}">{}<tbody>{}</tbody></table></div>', kind, Html(top), join(lines))


def text_table(rows: Rows, kept: int = 1, max_columns: int = 100) -> list[str]:
    """Return lines in which the cells are lined up, the first column to the left and the others to the right.

    Args:
        rows: the heading and the rows, of equally many cells.
        kept: columns that name the row; they are repeated where a table is too wide and goes on below an empty line.
        max_columns: width of a line that a terminal shows whole. One column is never cut.
    """
    every = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    lines: list[str] = []
    left = list(range(kept, len(widths)))
    while True:
        block, used = list(range(kept)), sum(widths[:kept]) + 2 * (kept - 1)
        while left and (len(block) == kept or used + 2 + widths[left[0]] <= max_columns):
            block.append(left.pop(0))
            used += 2 + widths[block[-1]]
        lines += [_line([row[i] for i in block], [widths[i] for i in block]) for row in every]
        if not left:
            return lines
        lines.append("")


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()


def markdown_table(head: Sequence[str], rows: Rows) -> list[str]:
    """Return the lines of a Markdown table, the first column to the left and the others to the right."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, *rows)]
    return [lines[0], "|---" + "|---:" * (len(head) - 1) + "|", *lines[1:]]


def _cell(text: str, shade: float) -> Html:
    if not shade:
        return fill("<td>{}</td>", text)
    kind = ' class="strong"' if shade > _STRONG else ""
    return fill('<td{} style="background:rgba(var(--shade),{:.2f})">{}</td>', Html(kind), shade, text)
