"""Labels and groups in file names: "{label}_*" takes `cat` from cat_12_left.jpg.

    {label}   the class      {group}   the patient, video or scene
    *         any characters #         digits

Both names are as short as the rest allows: "{label}_#" takes `american_bulldog` from
american_bulldog_12.jpg, and "{label}_*" would take `american`. A pattern with / is matched against
the end of the path, another one against the file's name; the suffix does not belong to it.
"""

import re
from collections.abc import Callable

from hundredfold.data._formats import SUFFIXES
from hundredfold.errors import DataError, UsageError

_TOKENS = re.compile(r"(\{[^{}]*\}|\*|#)")
_MEANING = {
    "{label}": r"(?P<label>[^/]+?)",
    "{group}": r"(?P<group>[^/]+?)",
    "*": r"[^/]*?",
    "#": r"[0-9]+",
}


def reader(pattern: str, field: str, option: str) -> Callable[[str], str]:
    """Return the function that reads a field, "label" or "group", from the name of a file.

    option: what the user set, for errors. Raises UsageError for a pattern without the field. The
    function raises DataError for a name that does not fit.
    """
    compiled = _compiled(pattern, option)
    if f"{{{field}}}" not in pattern:
        raise UsageError(
            f"{option} {pattern!r} has no {{{field}}}", remedy=f'{option} "{{{field}}}_*"'
        )

    def read(name: str) -> str:
        path = name[: -len(_suffix(name))] if _suffix(name) else name
        match = compiled.fullmatch(path if "/" in pattern else path.rpartition("/")[2])
        if match is None:
            raise DataError(
                f"the name {name!r} does not fit {option} {pattern!r}",
                remedy=f"rename it or move it away; * stands for any characters in {option}",
            )
        return match[field]

    return read


def is_pattern(text: str) -> bool:
    """Return whether a text is a pattern, not the name of a column."""
    return "{" in text


def _compiled(pattern: str, option: str) -> re.Pattern[str]:
    bare = pattern[: -len(_suffix(pattern))] if _suffix(pattern) else pattern
    pieces = _TOKENS.split(bare)
    for token in pieces[1::2]:
        if token not in _MEANING or (token[0] == "{" and pieces.count(token) > 1):
            raise UsageError(
                f"{option} {pattern!r} cannot be read at {token!r}",
                remedy="{label} and {group} once each, * for any characters, # for digits",
            )
    pieces[::2] = [re.escape(text) for text in pieces[::2]]
    pieces[1::2] = [_MEANING[token] for token in pieces[1::2]]
    return re.compile(("(?:.*/)?" if "/" in bare else "") + "".join(pieces), re.DOTALL)


def _suffix(name: str) -> str:
    """Return the suffix of an image's name, as written; "" for any other."""
    dot = name.rfind(".")
    return name[dot:] if dot >= 0 and name[dot:].lower() in SUFFIXES else ""
