"""The palette and the style sheet of every page: light and dark, wide and narrow."""

from importlib.resources import files

# Name of the CSS variable: colour by day, by night. Text has a contrast of at least 4.5 to the page, marks of 3; the
# hues of the series are apart for the colour-blind. Source: M. Okabe and K. Ito, "Color Universal Design", 2008.
PALETTE = {
    "page": ("#ffffff", "#16181a"),
    "ink": ("#202224", "#e4e4e0"),
    "faint": ("#62666a", "#9aa0a4"),
    "rule": ("#d8d8d4", "#3a3e41"),
    "stripe": ("#f5f5f2", "#1f2224"),
    "series-0": ("#0072b2", "#5fb2ee"),
    "series-1": ("#d55e00", "#ff9a57"),
    "series-2": ("#00815f", "#45cfa2"),
    "series-3": ("#b5508a", "#e597c4"),
    "series-4": ("#8a6d00", "#d8b84e"),
    "series-5": ("#5b6770", "#a7b3bd"),
    "good": ("#1f7a4d", "#6cc08b"),
    "bad": ("#b3261e", "#ff8a7a"),
    "unsure": ("#855600", "#e0b04c"),
}
SERIES = tuple(light for name, (light, _) in PALETTE.items() if name.startswith("series"))
VARIABLES = {light: f"var(--{name})" for name, (light, _) in PALETTE.items()}  # of a colour that a chart was drawn in


def style_sheet() -> str:
    """Return the style sheet: the palette as variables for both schemes, and the rules of ``page.css``."""
    light, dark = ("".join(f"--{name}:{pair[scheme]};" for name, pair in PALETTE.items()) for scheme in (0, 1))
    rules = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    return f":root{{color-scheme:light dark;{light}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n{rules}"
