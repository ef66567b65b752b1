"""Axes of a chart with a row for each variant or pair, the first at the top."""

from hundredfold.reports.charts._marks import path, text
from hundredfold.reports.charts._scale import Frame, Scale
from hundredfold.reports.html import Markup, tag


def row_scale(rows: int) -> Scale:
    """Return a scale with row 0 at the top."""
    return Scale(rows - 0.5, -0.5)


def row_axes(frame: Frame, label: str, *, percent: bool) -> Markup:
    """Return vertical grid lines with values below them, in percent or as numbers."""
    lines: list[Markup] = []
    for value in frame.x.ticks():
        x = frame.at(value, frame.y.low)[0]
        words = f"{round(100 * value, 3):g}" if percent else f"{value:g}"
        words = words.replace("-", "−")
        lines.append(path([(x, frame.top), (x, frame.bottom)], "grid"))
        lines.append(text(x, frame.bottom + 17, words, "tick", anchor="middle"))
    middle = (frame.left + frame.right) / 2
    lines.append(text(middle, frame.height - 5, label, "label", anchor="middle"))
    return tag("g", {}, *lines)
