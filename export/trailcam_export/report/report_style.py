"""The style sheet of ``report.html``: light and dark, wide and narrow."""

__all__ = ["STYLE"]

# Blue, orange and green are apart for the colour-blind, and text on the badges has a contrast of at least 4.5.
STYLE = """
:root{--page:#fff;--text:#222;--faint:#666;--line:#d8d8d4;--stripe:#f5f5f2;--same:#1b6ca8;--worse:#c2491d;
--better:#2c7a4b;--pass:#2c7a4b;--fail:#b3261e;--inconclusive:#8a5a00;--shade:194,73,29}
@media(prefers-color-scheme:dark){:root{--page:#16181a;--text:#e4e4e0;--faint:#9aa0a4;--line:#3a3e41;--stripe:#1f2224;
--same:#64aee0;--worse:#f08a5d;--better:#6cc08b;--pass:#2c7a4b;--fail:#b3261e;--inconclusive:#8a5a00;
--shade:240,138,93}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:1040px;margin:0 auto;padding:1em;color:var(--text);
background:var(--page);overflow-wrap:anywhere}
h1{margin:.3em 0 0;font-size:1.7em}h2{margin:2em 0 .6em;border-bottom:1px solid var(--line);font-size:1.3em}
h3{margin:1.2em 0 .4em;font-size:1.05em}.lead{font-size:1.2em}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:14px;overflow-wrap:normal}
th,td{padding:4px 9px;text-align:right;white-space:nowrap}thead th{color:var(--faint);font-weight:600;
border-bottom:1px solid var(--line)}
th:first-child{text-align:left}tbody th{font-weight:600;white-space:normal;min-width:7em}
tbody tr:nth-child(odd){background:var(--stripe)}
.badge{display:inline-block;padding:1px 9px;border-radius:9px;color:#fff;font-size:13px;font-weight:600}
.badge.pass{background:var(--pass)}.badge.fail{background:var(--fail)}.badge.inconclusive{background:var(--inconclusive)}
.verdict{border-left:5px solid var(--line);padding:.1em 1em;margin:1em 0;background:var(--stripe)}
.verdict h3{margin:.5em 0}.verdict p{margin:.5em 0}
.verdict.pass{border-color:var(--pass)}.verdict.fail{border-color:var(--fail)}
.verdict.inconclusive{border-color:var(--inconclusive)}
.charts{display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start;margin:1em 0}
svg{width:460px;max-width:100%;font:11px system-ui,sans-serif;fill:var(--text)}
svg .title{font-weight:600;font-size:13px}svg line.grid{stroke:var(--line)}
svg line.limit{stroke:var(--fail);stroke-dasharray:5 4}
svg line.same,svg line.worse,svg line.better{stroke-width:2.5}
svg line.same{stroke:var(--same)}svg line.worse{stroke:var(--worse)}svg line.better{stroke:var(--better)}
svg .same{fill:var(--same)}svg .worse{fill:var(--worse)}svg .better{fill:var(--better)}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px}
figure{margin:0;font-size:13px;line-height:1.35}img{width:100%;display:block;border-radius:4px}
figcaption{padding-top:4px}figcaption span{display:block}.truth{font-weight:600}.right{color:var(--better)}
.wrong{color:var(--worse)}.file{color:var(--faint);font-size:11px}
"""
