"""Syntax highlighting of TOML for a page."""

import re

from hundredfold.reports.html import Markup, join, tag


def toml(text: str) -> Markup:
    """Return TOML with keys, strings and comments marked."""
    return join((_line(line) for line in text.splitlines()), "\n")


def _line(line: str) -> Markup:
    entry = re.fullmatch(r"(\s*[\w.-]+\s*)=(\s*)(.*)", line)
    if not entry:
        kind = "comment" if line.lstrip().startswith("#") else "key"
        return tag("span", {"class": kind}, line)
    key, space, value = entry.groups()
    kind = "string" if value.startswith(('"', "'")) else "literal"
    return join(
        [tag("span", {"class": "key"}, key), "=", space, tag("span", {"class": kind}, value)]
    )
