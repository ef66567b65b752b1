"""Small drawings without a plotting library: a scale, a frame with axes, and lines in it.

Colours come from `chart.css` by class name, so that a drawing follows the page from light
to dark; `standalone` puts the light colours into a file of its own. Coordinates are in
pixels of the viewBox, y downwards.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

from hundredfold.reports._html import Child, Markup, tag

LETTER = 6.3  # width of a letter at 11 px, in pixels; wide fonts need a little more than narrow
COLOURS = 8


@dataclass(frozen=True)
class Scale:
    """Where a value stands between `low` (0) and `high` (1), by its logarithm if asked.

    low may be the larger one: the scale then runs backwards, and has no ticks.
    """

    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        low, high = self._bend(self.low), self._bend(self.high)
        return (self._bend(value) - low) / (high - low) if high != low else 0.5

    def ticks(self, count: int = 5) -> list[float]:
        """Return round values inside the scale, about `count` of them."""
        if self.logarithmic:
            return _log_ticks(self.low, self.high)
        step = _step((self.high - self.low) / max(count, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(k * step, 12) for k in range(first, last + 1)]

    def _bend(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.logarithmic else value


@dataclass(frozen=True)
class Frame:
    """The box of a chart: scales, size, margins (top, right, bottom, left) in pixels."""

    x: Scale
    y: Scale
    width: float = 460
    height: float = 290
    margins: tuple[float, float, float, float] = (14, 16, 40, 48)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of a point."""
        return self.left + self.x.share(x) * self.inner[0], self.bottom - self.y.share(
            y
        ) * self.inner[1]

    @property
    def left(self) -> float:
        return self.margins[3]

    @property
    def right(self) -> float:
        return self.width - self.margins[1]

    @property
    def top(self) -> float:
        return self.margins[0]

    @property
    def bottom(self) -> float:
        return self.height - self.margins[2]

    @property
    def inner(self) -> tuple[float, float]:
        return self.right - self.left, self.bottom - self.top


@dataclass(frozen=True)
class Line:
    """A curve: values that are not finite leave a gap. `name` is drawn at its end, if any."""

    x: Sequence[float]
    y: Sequence[float]
    colour: int
    name: str = ""
    style: str = ""


def drawing(
    width: float,
    height: float,
    title: str,
    *children: Child,
    kind: str = "",
    data: Mapping[str, object] | None = None,
) -> Markup:
    """Return the <svg>; `title` says in words what is seen, `data` is what page.js reads."""
    attributes = {
        "viewBox": f"0 0 {round(width, 1):g} {round(height, 1):g}",
        "class": f"chart {kind}".strip(),
        "role": "img",
        "aria-label": title,
        "style": f"max-width:{round(width * 1.25)}px",
    }
    packed = {f"data-{k}": json.dumps(v, separators=(",", ":")) for k, v in (data or {}).items()}
    return tag("svg", attributes | packed, *children)


def text(
    x: float, y: float, words: str, kind: str = "", *, anchor: str = "", turn: int = 0
) -> Markup:
    """Return words at a place; anchor is "", "middle" or "end"."""
    place: dict[str, str | None] = {"x": _short(x), "y": _short(y)}
    place |= {"class": kind or None, "text-anchor": anchor or None}
    spin: dict[str, str | None] = (
        {"transform": f"rotate({turn} {_short(x)} {_short(y)})"} if turn else {}
    )
    return tag("text", place | spin, words)


def sideways(svg: Markup) -> Markup:
    """Return a drawing in a box that scrolls sideways where the page is too narrow for it."""
    box = {"class": "scroll", "tabindex": "0", "role": "group", "aria-label": "Drawing"}
    return tag("div", box, svg)


def rectangle(
    x: float,
    y: float,
    width: float,
    height: float,
    kind: str,
    hint: str = "",
    *,
    round_by: float = 0,
) -> Markup:
    """Return a box, with a hint that a mouse shows where one is given."""
    place = {"x": _short(x), "y": _short(y), "width": _short(width), "height": _short(height)}
    corner = {"rx": _short(round_by)} if round_by else {}
    return tag("rect", place | corner | {"class": kind}, tag("title", {}, hint) if hint else "")


def circle(x: float, y: float, radius: float, kind: str, hint: str = "") -> Markup:
    """Return a dot."""
    place = {"cx": _short(x), "cy": _short(y), "r": _short(radius), "class": kind}
    return tag("circle", place, tag("title", {}, hint) if hint else "")


def path(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    """Return a line through points; a point that is not finite interrupts it."""
    steps, pen_down = [], False
    for x, y in points:
        finite = math.isfinite(x) and math.isfinite(y)
        if finite:
            steps.append(f"{'L' if pen_down else 'M'}{_short(x)} {_short(y)}")
        pen_down = finite
    return tag("path", {"d": "".join(steps), "class": kind})


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


def curves(frame: Frame, lines: Sequence[Line]) -> Markup:
    """Return the curves, and their names at the right, moved apart where they would touch."""
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


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return the places moved as little as needed to stand `gap` apart, in the same order.

    >>> apart([10, 11, 40], 10, 0, 100)
    [10, 20, 40]
    """
    order = sorted(range(len(places)), key=lambda k: places[k])
    moved = list(places)
    for before, k in pairwise(order):
        moved[k] = max(moved[k], moved[before] + gap)
    limit = high
    for k in reversed(order):
        moved[k] = min(moved[k], limit)
        limit = moved[k] - gap
    return [max(y, low) if len(places) * gap < high - low else y for y in moved]


def colour(index: int) -> str:
    """Return the class of the index-th colour; they come round again after eight."""
    return f"c{index % COLOURS}"


def hover(
    frame: Frame,
    x: Sequence[float],
    lines: Sequence[tuple[str, int, Sequence[float]]],
    label: str,
    unit: str,
) -> object:
    """Return what page.js needs to read values off a chart: pixels, x, and named series.

    unit is "%" for shares in [0, 1], else "".
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


def standalone(svg: Markup, background: bool = True) -> str:
    """Return the drawing as a file of its own, in the light colours, with no variables left."""
    css = chart_css()
    palette = dict(re.findall(r"--([\w-]+):\s*([^;]+);", css))
    rules = re.sub(r":root\s*{[^}]*}", "", css)
    plain = re.sub(r"var\(--([\w-]+)\)", lambda m: palette[m[1]], rules)
    body = re.sub(r' (data-\w+|style|tabindex)="[^"]*"', "", svg)
    opening, inside = body.split(">", 1)
    paper = f'<rect width="100%" height="100%" fill="{palette["paper"]}"/>' if background else ""
    start = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"{start}><style>{plain}</style>{paper}{inside}\n"


@cache
def chart_css() -> str:
    """Return the style of drawings, which the page and each figure share."""
    return files("hundredfold.reports").joinpath("chart.css").read_text(encoding="utf-8")


def _last(values: Sequence[float]) -> float:
    finite = [v for v in values if math.isfinite(v)]
    return finite[-1] if finite else 0.0


def _short(value: float) -> str:
    return f"{round(value, 2):g}" if math.isfinite(value) else "0"


def _finite(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _step(rough: float) -> float:
    if rough <= 0 or not math.isfinite(rough):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for parts in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        found = [m * 10.0**p for p in range(first, last + 1) for m in parts]
        inside = [v for v in found if low * 0.999 <= v <= high * 1.001]
        if len(inside) >= 3:
            return inside
    return inside or [low, high]
