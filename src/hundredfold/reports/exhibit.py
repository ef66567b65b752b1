"""One section of a page."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hundredfold.reports.html import Markup, paragraph


@dataclass(frozen=True)
class Exhibit:
    """What stands under a heading, and the drawings to keep as files.

    figures: name of the file without ".svg" -> the drawing.
    """

    body: Markup
    figures: Mapping[str, Markup] = field(default_factory=dict)


def missing(sentence: str) -> Exhibit:
    """Return the exhibit of something that is not there, which says so."""
    return Exhibit(paragraph(sentence, kind="absent"))
