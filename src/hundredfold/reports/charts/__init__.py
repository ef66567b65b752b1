"""Small drawings without a plotting library: scales, frames with axes, and marks in them.

Elements take their colours from `chart.css` by class name, so that drawings follow the page's
light or dark theme. `standalone` writes a drawing with the light colours to its own file.
Coordinates are in pixels of the viewBox, y downwards.
"""

from hundredfold.reports.charts._axes import axes, hover
from hundredfold.reports.charts._lines import Line, apart, curves
from hundredfold.reports.charts._marks import (
    circle,
    colour,
    drawing,
    path,
    rectangle,
    sideways,
    text,
)
from hundredfold.reports.charts._matrix import matrix
from hundredfold.reports.charts._rows import row_axes, row_scale
from hundredfold.reports.charts._scale import Frame, Scale
from hundredfold.reports.charts._standalone import chart_css, standalone

__all__ = [
    "Frame",
    "Line",
    "Scale",
    "apart",
    "axes",
    "chart_css",
    "circle",
    "colour",
    "curves",
    "drawing",
    "hover",
    "matrix",
    "path",
    "rectangle",
    "row_axes",
    "row_scale",
    "sideways",
    "standalone",
    "text",
]
