"""Parse "wrn(depth=28)" and "pad_crop(pixels=4) | flip"; nothing is evaluated."""

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hundredfold.errors import UsageError, shortened
from hundredfold.spec._bounds import bounded

_LONGEST = 10_000  # characters of a part, at most
_PARTS = 100  # of a chain, at most
_WRONG = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)
_FILE = re.compile(
    r"""([^\s|()"'=,]+\.py|python):(?=[A-Za-z_])"""
)  # prefix of a part in a user's own file
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_MARK = "_file_{}_"


@dataclass(frozen=True)
class Call:
    """A name with options, e.g. Call("wrn", {"depth": 28}); `str` returns the text to parse.

    file: of a part in a user's own file, as written; else "".
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        name = f"{self.file}:{self.name}" if self.file else self.name
        return f"{name}({inside})" if inside else name


def parse(text: str) -> Call:
    """Read "name" or "name(option=literal, ...)". Raises UsageError for anything else."""
    calls = parse_chain(text)
    if len(calls) != 1:
        raise UsageError(
            f"{shortened(text)} is not one name with options", remedy='"wrn(depth=28)"'
        )
    return calls[0]


def parse_chain(text: str) -> tuple[Call, ...]:
    """Read "pad_crop(pixels=4) | flip" as a tuple of calls; "" and "none" are empty."""
    if text.strip() in ("", "none"):
        return ()
    try:
        if len(text) > _LONGEST or text.count("|") > _PARTS:
            raise ValueError
        marked, files = _mark_files(text.strip())
        return tuple(_calls(ast.parse(marked, mode="eval").body, files))
    except _WRONG:
        raise UsageError(
            f"cannot read {shortened(text)}",
            found="a part is written name(option=value, ...); parts are joined by |",
            remedy='for example "pad_crop(pixels=4) | flip"',
        ) from None


def literal(text: str) -> Any:
    """Parse a value as in a call; a bare word is a string. Raises UsageError for long text."""
    if len(text) > _LONGEST:
        raise UsageError(
            f"cannot read {shortened(text)}", found=f"a value has at most {_LONGEST:,} characters"
        )
    try:
        return _value(ast.parse(text, mode="eval").body)
    except _WRONG:
        return text


def _mark_files(text: str) -> tuple[str, list[str]]:
    """Replace "my_nets.py:" outside of quotes by an identifier that Python can parse."""
    files: list[str] = []

    def mark(match: re.Match[str]) -> str:
        files.append(match.group(1))
        return _MARK.format(len(files) - 1)

    pieces = _QUOTED.split(text)
    pieces[::2] = [_FILE.sub(mark, piece) for piece in pieces[::2]]
    return "".join(pieces), files


def _calls(node: ast.expr, files: list[str]) -> list[Call]:
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _calls(left, files) + _calls(right, files)
        case ast.Name(id=name):
            return [_named(name, {}, files)]
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
            if any(word.arg is None for word in keywords):
                raise ValueError
            options = {str(word.arg): _option(word.value) for word in keywords}
            if len(options) != len(keywords):
                raise ValueError
            return [_named(name, options, files)]
    raise ValueError


def _named(name: str, options: dict[str, Any], files: list[str]) -> Call:
    for number, file in enumerate(files):
        mark = _MARK.format(number)
        if name.startswith(mark):
            return Call(name.removeprefix(mark), options, file)
    return Call(name, options)


def _option(node: ast.expr) -> Any:
    """Return an option's value; nan and inf are numbers, which ranges then refuse."""
    match node:
        case ast.Name(id="nan" | "inf" as name):
            return float(name)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id="inf")):
            return -math.inf
    return _value(node)


def _value(node: ast.expr) -> Any:
    value = bounded(ast.literal_eval(node))
    return tuple(value) if isinstance(value, list) else value
