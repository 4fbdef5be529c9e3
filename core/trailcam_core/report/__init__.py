"""The pages that people read: one frame, one palette, one table, one picture, and charts by Matplotlib.

A page is one file that loads nothing. Data becomes HTML in ``markup.fill`` alone, which escapes it.
"""

from trailcam_core.report.axes import Axis, fraction, quantity
from trailcam_core.report.charts import (
    bar_chart,
    charts,
    column_chart,
    interval_chart,
    line_chart,
    reliability_chart,
    scatter_chart,
)
from trailcam_core.report.markup import Html, badge, bullets, fill, join, paragraph
from trailcam_core.report.page import box, render_page
from trailcam_core.report.pictures import picture, pictures
from trailcam_core.report.tables import html_table, markdown_table, text_table

__all__ = [
    "Axis",
    "Html",
    "badge",
    "bar_chart",
    "box",
    "bullets",
    "charts",
    "column_chart",
    "fill",
    "fraction",
    "html_table",
    "interval_chart",
    "join",
    "line_chart",
    "markdown_table",
    "paragraph",
    "picture",
    "pictures",
    "quantity",
    "reliability_chart",
    "render_page",
    "scatter_chart",
    "text_table",
]
