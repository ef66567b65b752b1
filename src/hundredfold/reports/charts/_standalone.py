"""Drawings as separate SVG files, and the style of all drawings."""

import re
from functools import cache
from importlib.resources import files

from hundredfold.reports.html import Markup


def standalone(svg: Markup, background: bool = True) -> str:
    """Return a drawing as the text of an SVG file, in light colours, without CSS variables."""
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
    """Return the CSS of drawings, for pages and for SVG files."""
    return files("hundredfold.reports.charts").joinpath("chart.css").read_text(encoding="utf-8")
