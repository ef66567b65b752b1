"""One section of a page."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hundredfold.reports.html import Markup, paragraph


@dataclass(frozen=True)
class Exhibit:
    """The content of a section, and its drawings.

    figures: file name without ".svg" -> the drawing, which is also written as a file.
    """

    body: Markup
    figures: Mapping[str, Markup] = field(default_factory=dict)


def missing(sentence: str) -> Exhibit:
    """Return an exhibit with only a sentence on what is missing."""
    return Exhibit(paragraph(sentence, kind="absent"))
