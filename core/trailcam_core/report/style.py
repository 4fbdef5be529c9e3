"""The palette and the style sheet of every page: light and dark, wide and narrow."""

__all__ = ["PALETTE", "SERIES", "STYLE", "VARIABLES"]

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

_LIGHT, _DARK = ("".join(f"--{name}:{pair[scheme]};" for name, pair in PALETTE.items()) for scheme in (0, 1))

STYLE = (
    f"""
:root{{color-scheme:light dark;{_LIGHT}--shade:0,114,178}}
@media(prefers-color-scheme:dark){{:root{{{_DARK}--shade:46,108,164}}}}
"""
    + """
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;max-width:1080px;margin:0 auto;
padding:1.2em 1em 4em;color:var(--ink);background:var(--page);overflow-wrap:anywhere}
h1{margin:0;font-size:1.8em;line-height:1.2}h2{margin:2.2em 0 .7em;padding-bottom:.2em;font-size:1.3em;
border-bottom:1px solid var(--rule)}h3{margin:1.4em 0 .4em;font-size:1.05em}
p,ul{max-width:46em}.kind{margin:0;color:var(--faint);font-size:14px}.lead{font-size:1.2em}.hint{color:var(--faint)}
nav{font-size:14px;line-height:1.9;margin:1.2em 0}nav a{color:var(--series-0);margin-right:1.2em;white-space:nowrap;
text-decoration:none}nav a:hover{text-decoration:underline}
.scroll{overflow-x:auto;margin:1em 0}
pre{background:var(--stripe);padding:1em;overflow:auto;font-size:13px}summary{cursor:pointer}
table{border-collapse:collapse;font-size:14px;overflow-wrap:normal;font-variant-numeric:tabular-nums}
th,td{padding:4px 9px;text-align:right;white-space:nowrap}
thead th{color:var(--faint);font-weight:600;border-bottom:1px solid var(--rule);vertical-align:bottom}
tr{background:var(--page)}tbody tr:nth-child(odd){background:var(--stripe)}
th:first-child{text-align:left;position:sticky;left:0;background:inherit}tbody th{font-weight:600}
@media(max-width:600px){tbody th{white-space:normal;min-width:7em;max-width:9.5em;overflow-wrap:anywhere}}
.texts th,.texts td{text-align:left;white-space:normal;overflow-wrap:anywhere;vertical-align:top}
.texts th:first-child{position:static;min-width:8em}td.strong{color:#fff}
.matrix thead th:not(:first-child){writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;padding:9px 4px;
border:0}.matrix td{text-align:center;min-width:2.6em}
.badge{display:inline-block;padding:1px 9px;border-radius:9px;color:var(--page);font-size:13px;font-weight:600}
.badge.pass{background:var(--good)}.badge.fail{background:var(--bad)}.badge.inconclusive{background:var(--unsure)}
.box{border-left:5px solid var(--rule);padding:.1em 1em;margin:1em 0;background:var(--stripe)}
.box h3,.box p{margin:.5em 0}.box.pass{border-color:var(--good)}.box.fail{border-color:var(--bad)}
.box.inconclusive{border-color:var(--unsure)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:28px 32px;margin:1.2em 0}
.chart{margin:0;min-width:0;max-width:480px}.chart>figcaption{font-weight:600;font-size:15px;line-height:1.35;
margin-bottom:.4em}.chart>svg{display:block;width:100%;height:auto}
svg text{font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.keys{list-style:none;padding:0;margin:.4em 0 0;font-size:13px;line-height:1.5;display:flex;flex-wrap:wrap;gap:0 1.4em}
.keys svg{width:28px;height:8px;margin-right:.5em;vertical-align:middle}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(136px,1fr));gap:16px 14px;margin:1em 0}
.pictures.small{grid-template-columns:repeat(auto-fill,minmax(104px,1fr));gap:10px}
.pictures.wide{grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr))}
figure{margin:0;font-size:13px;line-height:1.35}figcaption span{display:block}
img{display:block;width:100%;height:auto;border-radius:3px}.picture>figcaption{padding-top:4px}
.row{display:flex;gap:4px;color:var(--faint)}.row span{flex:1;min-width:0}
.truth{font-weight:600}.right{color:var(--good)}.wrong{color:var(--bad)}.file{color:var(--faint);font-size:12px}
"""
)
