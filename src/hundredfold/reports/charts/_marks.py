"""The <svg> element and its marks: text, rectangles, circles and paths, in pixels."""

import json
import math
from collections.abc import Mapping, Sequence

from hundredfold.reports.html import Child, Markup, tag

COLOURS = 8


def drawing(
    width: float,
    height: float,
    title: str,
    *children: Child,
    kind: str = "",
    data: Mapping[str, object] | None = None,
) -> Markup:
    """Return the <svg>; `title` describes it for screen readers, page.js reads `data`."""
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
    """Return text at a point. anchor: "", "middle" or "end". turn: rotation in degrees."""
    point: dict[str, str | None] = {"x": _short(x), "y": _short(y)}
    point |= {"class": kind or None, "text-anchor": anchor or None}
    spin: dict[str, str | None] = (
        {"transform": f"rotate({turn} {_short(x)} {_short(y)})"} if turn else {}
    )
    return tag("text", point | spin, words)


def sideways(svg: Markup) -> Markup:
    """Return a drawing in a box that scrolls horizontally on a narrow page."""
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
    """Return a rectangle. hint: its tooltip, if any. round_by: radius of its corners."""
    box = {"x": _short(x), "y": _short(y), "width": _short(width), "height": _short(height)}
    corner = {"rx": _short(round_by)} if round_by else {}
    return tag("rect", box | corner | {"class": kind}, tag("title", {}, hint) if hint else "")


def circle(x: float, y: float, radius: float, kind: str, hint: str = "") -> Markup:
    """Return a circle. hint: its tooltip, if any."""
    centre = {"cx": _short(x), "cy": _short(y), "r": _short(radius), "class": kind}
    return tag("circle", centre, tag("title", {}, hint) if hint else "")


def path(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    """Return a line through points; a point that is not finite interrupts it."""
    steps, pen_down = [], False
    for x, y in points:
        finite = math.isfinite(x) and math.isfinite(y)
        if finite:
            steps.append(f"{'L' if pen_down else 'M'}{_short(x)} {_short(y)}")
        pen_down = finite
    return tag("path", {"d": "".join(steps), "class": kind})


def colour(index: int) -> str:
    """Return the CSS class of a colour index; the eight colours repeat."""
    return f"c{index % COLOURS}"


def _short(value: float) -> str:
    return f"{round(value, 2):g}" if math.isfinite(value) else "0"
