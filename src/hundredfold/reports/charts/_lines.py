"""Curves in a frame, with their names at the right edge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hundredfold.reports.charts._marks import colour, path, text
from hundredfold.reports.charts._scale import Frame
from hundredfold.reports.html import Markup, tag


@dataclass(frozen=True)
class Line:
    """A curve, with a gap where a value is not finite. `name` is drawn at its end."""

    x: Sequence[float]
    y: Sequence[float]
    colour: int
    name: str = ""
    style: str = ""


def curves(frame: Frame, lines: Sequence[Line]) -> Markup:
    """Return the curves, and their names at the right edge, moved apart where they overlap."""
    drawn = [
        path(
            [frame.at(x, y) for x, y in zip(line.x, line.y, strict=True)],
            f"line {colour(line.colour)} {line.style}".strip(),
        )
        for line in lines
    ]
    named = [(frame.at(0, _last(line.y))[1], line) for line in lines if line.name]
    spots = apart([y for y, _ in named], 14, frame.top, frame.bottom)
    words = [
        text(frame.right + 7, y + 4, line.name, f"name fill {colour(line.colour)}")
        for y, (_, line) in zip(spots, named, strict=True)
    ]
    return tag("g", {}, *drawn, *words)


def apart(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return the positions, moved as little as needed to be `gap` apart, in the same order.

    >>> apart([10, 11, 40], 10, 0, 100)
    [10, 20, 40]
    """
    order = sorted(range(len(positions)), key=lambda k: positions[k])
    moved = list(positions)
    for before, k in pairwise(order):
        moved[k] = max(moved[k], moved[before] + gap)
    limit = high
    for k in reversed(order):
        moved[k] = min(moved[k], limit)
        limit = moved[k] - gap
    return [max(y, low) if len(positions) * gap < high - low else y for y in moved]


def _last(values: Sequence[float]) -> float:
    finite = [v for v in values if math.isfinite(v)]
    return finite[-1] if finite else 0.0
