"""The frame of a page for people: one file that opens without a network, by day and by night, on a telephone too."""

import html
from collections.abc import Sequence

__all__ = ["render_page"]

# Line colours are readable for the colour-blind and apart in grey; those by night are the same hues, lighter.
_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#222;--faint:#666;--rule:#ccc;--band:#f6f6f4;--grid:#e2e2e2;
--line-0:#1b6ca8;--line-1:#d1603d;--line-2:#3c8d5a;--line-3:#7a5195;--shade:27,108,168}
@media(prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#dcdcd8;--faint:#9a9a96;--rule:#44474b;--band:#1f2226;
--grid:#33363a;--line-0:#6ab0e6;--line-1:#ee8f70;--line-2:#74c492;--line-3:#b795d3;--shade:46,108,164}}
body{font:15px/1.45 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;
background:var(--paper);color:var(--ink)}
h1{margin-bottom:0;overflow-wrap:anywhere}h2{margin-top:2em;border-bottom:1px solid var(--rule)}
h3{font-size:15px;margin-bottom:0}p{max-width:46em}
.lead{font-size:19px}.hint{color:var(--faint)}
.scroll{overflow-x:auto}pre{background:var(--band);padding:1em;overflow:auto}
table{border-collapse:collapse;font-size:13px}th,td{padding:3px 8px;text-align:right;white-space:nowrap}
tr{background:var(--paper)}tbody tr:nth-child(odd){background:var(--band)}
th:first-child{text-align:left;position:sticky;left:0;background:inherit}
.texts th,.texts td{text-align:left;white-space:normal;overflow-wrap:anywhere}.texts th:first-child{position:static}
td.dark{color:#fff}
.charts{display:flex;flex-wrap:wrap;gap:16px}svg{width:460px;max-width:100%;font:11px system-ui,sans-serif}
svg text{fill:var(--ink)}svg .title{font-weight:bold;font-size:13px}
svg .grid{stroke:var(--grid)}svg .ideal{stroke:var(--faint);stroke-dasharray:4 4}
figure{display:inline-block;width:140px;margin:6px;vertical-align:top;font-size:12px}
figure.small{width:104px;margin:4px;font-size:11px}figure.wide{width:460px}
figure.pair{width:305px}figure.wide,figure.pair{max-width:calc(100% - 12px)}
figcaption{overflow-wrap:anywhere}img{max-width:100%;height:auto}
.row{display:flex;gap:4px}.row span{flex:1;min-width:0;color:var(--faint)}.row img{display:block;width:100%}
.group{border-left:4px solid var(--rule);margin:8px 0;padding-left:8px}.group.wrong{border-color:var(--line-1)}
"""


def render_page(title: str, parts: Sequence[str]) -> str:
    """Return a whole page.

    Args:
        title: as text; escaped here.
        parts: the body, as HTML.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )
