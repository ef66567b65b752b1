"""CSV whose cells no spreadsheet computes: text like a formula begins with an apostrophe.

A cell that begins with = + - @, tab or carriage return is a formula to a spreadsheet (OWASP, "CSV
Injection"). So is one with their full-width forms in some. Apostrophes before them are kept by one
more, so that `original` returns every text unchanged.
"""

import re
from collections.abc import Iterable
from typing import Any

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_QUOTED = re.compile("'+[=+\\-@\t\r\n＝＋－＠]")


def neutral(cell: Any) -> Any:
    """Return a cell with an apostrophe before text like a formula."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def original(cell: str) -> str:
    """Return the text of a cell that `neutral` returned."""
    return cell[1:] if _QUOTED.match(cell) else cell


def text(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as CSV with lines that end in a line feed."""
    return "".join(",".join(_quoted(neutral(cell)) for cell in row) + "\n" for row in rows)


def _quoted(cell: Any) -> str:
    """Return a cell as text, in quotes where needed; csv.writer leaves a carriage return bare."""
    written = "" if cell is None else str(cell)
    if not set(written) & set(',"\r\n'):
        return written
    return '"' + written.replace('"', '""') + '"'
