"""The grid, ticks and labels of a chart, and its data for the pointer."""

import math
from collections.abc import Callable, Sequence

from hundredfold.reports.charts._marks import COLOURS, path, text
from hundredfold.reports.charts._scale import Frame
from hundredfold.reports.html import Markup, tag


def axes(
    frame: Frame,
    x_label: str,
    y_label: str,
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
    *,
    x_ticks: Sequence[float] | None = None,
) -> Markup:
    """Return grid, ticks and labels of a chart."""
    parts: list[Markup] = []
    for value in frame.y.ticks():
        y = frame.at(frame.x.low, value)[1]
        parts.append(path([(frame.left, y), (frame.right, y)], "grid"))
        parts.append(text(frame.left - 8, y + 4, y_text(value), "tick", anchor="end"))
    for value in frame.x.ticks() if x_ticks is None else x_ticks:
        x = frame.at(value, frame.y.low)[0]
        parts.append(path([(x, frame.bottom), (x, frame.bottom + 4)], "axis"))
        parts.append(text(x, frame.bottom + 17, x_text(value), "tick", anchor="middle"))
    parts.append(path([(frame.left, frame.bottom), (frame.right, frame.bottom)], "axis"))
    middle = (frame.left + frame.right) / 2
    parts.append(text(middle, frame.height - 5, x_label, "label", anchor="middle"))
    if y_label:
        parts.append(
            text(11, (frame.top + frame.bottom) / 2, y_label, "label", anchor="middle", turn=-90)
        )
    return tag("g", {}, *parts)


def hover(
    frame: Frame,
    x: Sequence[float],
    lines: Sequence[tuple[str, int, Sequence[float]]],
    label: str,
    unit: str,
) -> object:
    """Return the data from which page.js shows the values under the pointer.

    x: values of the x axis. lines: (name, colour index, values) of each curve. label: of the x
    axis. unit: "%" for fractions in [0, 1], else "".
    """
    box = [frame.left, frame.top, frame.right, frame.bottom]
    scales = [frame.x.low, frame.x.high, frame.y.low, frame.y.high]
    series = [
        {"name": name, "c": index % COLOURS, "y": [_finite(v) for v in values]}
        for name, index, values in lines
    ]
    return {
        "box": box,
        "scales": scales,
        "x": list(x),
        "series": series,
        "label": label,
        "unit": unit,
    }


def _finite(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None
