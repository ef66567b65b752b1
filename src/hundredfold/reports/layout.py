"""The layout of a page: sections, style and script in one self-contained HTML file."""

from collections.abc import Sequence
from importlib.resources import files

from hundredfold.reports.charts import chart_css
from hundredfold.reports.exhibits import Section
from hundredfold.reports.html import Markup, tag

# no downloads, and no script but the page's own
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(
    kind: str,
    name: str,
    title: str,
    sections: Sequence[Section],
    *,
    live: str | None = None,
    own: str = "",
) -> str:
    """Return the page of a "run" or a "study"; sections without a title are under the page's.

    live: JSON for the script `own` of a page that renews itself, which may read files beside it.
    """
    headed = [section for section in sections if section.title]
    main = tag(
        "main",
        {},
        tag(
            "header",
            {},
            tag("p", {"class": "eyebrow"}, f"Hundredfold {kind}", tag("span", {}, name)),
            tag("h1", {}, title),
            *(section.exhibit.body for section in sections if not section.title),
        ),
        *map(_section, headed),
    )
    script = tag("script", {}, Markup(_read("page.js") + own))
    body = tag("body", {"data-live": live}, _contents(headed), main, script)
    head = _head(title, POLICY if live is None else f"{POLICY} 'self' file:")
    return f"<!doctype html>\n{tag('html', {'lang': 'en'}, head, body)}\n"


def _head(title: str, policy: str) -> Markup:
    return tag(
        "head",
        {},
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("title", {}, f"{title} – Hundredfold"),
        tag("style", {}, Markup(chart_css() + _read("page.css"))),
    )


def _contents(sections: Sequence[Section]) -> Markup:
    links = (tag("a", {"href": f"#{section.name}"}, section.title) for section in sections)
    items = (tag("li", {}, link) for link in links)
    return tag("nav", {"aria-label": "Contents"}, tag("ul", {}, *items))


def _section(section: Section) -> Markup:
    heading = tag("h2", {}, section.title)
    return tag("section", {"id": section.name}, heading, section.exhibit.body)


def _read(name: str) -> str:
    return files("hundredfold.reports").joinpath(name).read_text(encoding="utf-8")
