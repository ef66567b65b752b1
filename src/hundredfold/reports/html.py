"""HTML and SVG elements as text; everything that is not markup is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final, TypeAlias

from hundredfold.wording import visible

VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is already markup; all other text is escaped."""

    __slots__ = ()


Child: TypeAlias = str | Iterable["Child"]
Attributes: TypeAlias = Mapping[str, str | int | float | bool | None]


def tag(name: str, attributes: Attributes, *children: Child) -> Markup:
    """Return one element; an attribute that is None or False is omitted, True has no value.

    >>> tag("td", {"class": "number"}, "1 < 2")
    '<td class="number">1 &lt; 2</td>'
    """
    opening = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{join(children)}</{name}>")


def join(children: Iterable[Child], between: str = "") -> Markup:
    """Concatenate children; plain text is escaped."""
    return Markup(between.join(_text(child) for child in children))


def paragraph(*children: Child, kind: str | None = None) -> Markup:
    """Return a paragraph, with a class where `kind` is given."""
    return tag("p", {"class": kind}, *children)


def table(
    head: Sequence[Child], rows: Iterable[Iterable[Child]], *, kind: str = "", caption: str = ""
) -> Markup:
    """Return a table in a box that scrolls horizontally; the first cell of a row is its heading.

    head, rows: text, or complete <th> and <td> elements.
    """
    body = [[_cell(*_kind(k), cell) for k, cell in enumerate(row)] for row in rows]
    numeric = [' class="number' in cell.partition(">")[0] for cell in (body[0] if body else ())]
    numeric += [False] * len(head)
    columns = [
        tag("th", {"scope": "col", "class": "number" if numbers else None}, cell)
        for cell, numbers in zip(head, numeric, strict=False)
    ]
    return tag(
        "div",
        {"class": "scroll", "tabindex": "0", "role": "group", "aria-label": caption or "Table"},
        tag(
            "table",
            {"class": kind or None},
            tag("caption", {}, caption) if caption else "",
            tag("thead", {}, tag("tr", {}, *columns)),
            tag("tbody", {}, *(tag("tr", {}, *row) for row in body)),
        ),
    )


def number(text: Child, *, sort: float | None = None, bar: float | None = None) -> Markup:
    """Return a cell for a number.

    sort: value by which rows are sorted. bar: length of a bar in the cell, in [0, 1].
    """
    style = None if bar is None else f"--share:{min(max(bar, 0.0), 1.0):.3f}"
    kind = "number" if bar is None else "number bar"
    return tag("td", {"class": kind, "data-sort": sort, "style": style}, text)


def details(summary: str, *children: Child) -> Markup:
    """Return a section that opens on a click and is closed at first."""
    return tag("details", {}, tag("summary", {}, summary), *children)


def _kind(column: int) -> tuple[str, Attributes]:
    return ("th", {"scope": "row"}) if column == 0 else ("td", {})


def _cell(name: str, attributes: Attributes, child: Child) -> Markup:
    if isinstance(child, Markup) and child.startswith(("<td", "<th")):
        return child
    return tag(name, attributes, child)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {key}"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {key}="{escape(visible(text))}"'


def _text(child: Child) -> str:
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(visible(child), quote=False)
    return join(child)
