"""Evaluate annotations of options without running code: anyone's file may hold them."""

import ast
from functools import cache
from types import EllipsisType
from typing import Annotated, Any, Literal, get_args, get_origin

from hundredfold.size import PlainSize
from hundredfold.spec import _ranges
from hundredfold.spec._ranges import Limits

_PLAIN: dict[str, Any] = {t.__name__: t for t in (int, float, bool, str, tuple)} | {
    "PlainSize": PlainSize
}
_FORMS: dict[str, Any] = {"Literal": Literal, "Annotated": Annotated}
_LIMITS: dict[str, Any] = {"Range": _ranges.Range, "OneOf": _ranges.OneOf, "Sides": _ranges.Sides}
_ALIASES = {name: kind for name, kind in vars(_ranges).items() if get_origin(kind) is Annotated}


@cache
def evaluate(text: str) -> Any:
    """Return the type that an annotation names, such as "Annotated[int, Range(1, 9)] | None".

    Raises ValueError for names other than the plain types, Literal, and those of ranges.
    """
    try:
        kind = _value(ast.parse(text, mode="eval").body)
        if isinstance(kind, str | int | float | Limits | EllipsisType):
            raise ValueError
        return kind
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text[:100]!r} is no type of an option") from error


def limits_of(kind: Any) -> Limits | None:
    """Return the limits of a type's numbers, also within tuple[...] or `... | None`, or None."""
    for inner in (*getattr(kind, "__metadata__", ()), *get_args(kind)):
        found = inner if isinstance(inner, Limits) else limits_of(inner)
        if found is not None:
            return found
    return None


def plain(text: str) -> str:
    """Return an annotation without its limits: "tuple[Fraction, ...]" as "tuple[float, ...]"."""
    try:
        kind = evaluate(text)
    except ValueError:
        return text
    if limits_of(kind) is None:
        return text
    kind = _without(kind)
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)


def _without(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        return _without(kind.__origin__)
    if get_origin(kind) is tuple:
        return tuple[tuple(map(_without, get_args(kind)))]  # type: ignore[misc]
    args = get_args(kind)
    if not args or get_origin(kind) is Literal:
        return kind
    first, *rest = map(_without, args)
    for other in rest:
        first = first | other
    return first


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Name(id=name) if name in _PLAIN | _ALIASES:
            return (_PLAIN | _ALIASES)[name]
        case ast.Tuple(elts=elements):
            return tuple(map(_value, elements))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _value(left) | _value(right)
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in _FORMS:
            return _FORMS[name][_value(inner)]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=inner):
            return tuple[_value(inner)]  # type: ignore[misc]
        case ast.Call(func=ast.Name(id=name), args=values, keywords=words) if name in _LIMITS:
            named = {str(word.arg): _value(word.value) for word in words}
            return _LIMITS[name](*map(_value, values), **named)
    raise ValueError
