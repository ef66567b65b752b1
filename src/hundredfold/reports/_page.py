"""Exhibits, style and script in one HTML page that needs nothing else."""

from collections.abc import Mapping
from importlib.resources import files

from hundredfold.reports import _svg
from hundredfold.reports._evidence import Exhibit
from hundredfold.reports._html import Markup, join, tag

# nothing may be fetched, and no script but the page's own runs
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(kind: str, name: str, exhibits: Mapping[str, Exhibit]) -> str:
    """Return a page; the first exhibit is its head, the others are its sections."""
    (_, first), *rest = exhibits.items()
    head = tag(
        "head",
        {},
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("title", {}, f"{first.title} – Hundredfold"),
        tag("style", {}, Markup(_svg.chart_css() + _read("page.css"))),
    )
    contents = tag(
        "nav",
        {"aria-label": "Contents"},
        tag("ul", {}, *(tag("li", {}, tag("a", {"href": f"#{key}"}, e.title)) for key, e in rest)),
    )
    title = tag(
        "header",
        {},
        tag("p", {"class": "eyebrow"}, f"Hundredfold {kind}", tag("span", {}, name)),
        tag("h1", {}, first.title),
        first.body,
    )
    sections = (tag("section", {"id": key}, tag("h2", {}, e.title), e.body) for key, e in rest)
    body = tag("body", {}, contents, tag("main", {}, title, *sections), _script())
    return f"<!doctype html>\n{tag('html', {'lang': 'en'}, head, body)}\n"


def _script() -> Markup:
    return join([tag("script", {}, Markup(_read("page.js")))])


def _read(name: str) -> str:
    return files("hundredfold.reports").joinpath(name).read_text(encoding="utf-8")
