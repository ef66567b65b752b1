"""Signatures as a reader wants them: short names of types, no `self`, keywords as a table."""

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

_MODULE = re.compile(r"\b(?:\w+\.)+(?=[A-Za-z_])")  # before a type's name
_LINE = 88


def text(function: Callable[..., Any]) -> str:
    """Return "(recipe: str = "", *, epochs: int) -> Run", on several lines where it is long."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    pieces, bare = [], False
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and not bare:
            pieces.append("*")
            bare = True
        if name != "self":
            pieces.append(_parameter(parameter))
        bare = bare or parameter.kind is parameter.VAR_POSITIONAL
    returned = _type(signature.return_annotation)
    end = f" -> {returned}" if returned and not isinstance(function, type) else ""
    line = f"({', '.join(pieces)}){end}"
    return line if len(line) < _LINE else "(\n    " + ",\n    ".join(pieces) + f",\n){end}"


def options(function: Callable[..., Any]) -> str:
    """Return a table of the keywords that `**options: Unpack[...]` stands for, or ""."""
    fields = _keywords(function)
    rows = [f"| `{name}` | `{_cell(kind)}` | {_cell(doc)} |" for name, kind, doc in fields]
    if not rows:
        return ""
    return "\n".join(["| keyword | type | meaning |", "|---|---|---|", *rows])


def _keywords(function: Callable[..., Any]) -> list[tuple[str, str, str]]:
    hint = getattr(function, "__annotations__", {}).get("options")
    if isinstance(hint, str) or not get_args(hint):
        return []
    found = []
    for name, kind in get_type_hints(get_args(hint)[0], include_extras=True).items():
        notes = [n for n in get_args(kind)[1:] if isinstance(n, str)]
        bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        found.append((name, _type(bare), notes[0] if notes else "a field of the recipe"))
    return found


def _parameter(parameter: inspect.Parameter) -> str:
    star = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
    kind = "" if star == "**" else _type(parameter.annotation)
    shown = f"{star}{parameter.name}" + (f": {kind}" if kind else "")
    if parameter.default is parameter.empty:
        return shown
    default = parameter.default
    return f"{shown} = {default!r}" if _literal(default) else f"{shown} = ..."


def _literal(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool | tuple)


def _type(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    shown = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _MODULE.sub("", shown.strip("'"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
