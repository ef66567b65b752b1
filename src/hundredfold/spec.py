"""A part of a recipe as a value: "wrn(depth=28, width=10)".

The signature of the function that a name stands for is its schema, its help text and its
documentation. It is read from the source, so that a recipe is checked and spelled out
without importing the libraries the parts need.

Before the star of a signature stands what the program hands over; after it, what a recipe
may say: `def wrn(classes, *, depth=28, width=10)`.
"""

import ast
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from hundredfold.errors import UsageError, did_you_mean

_LONGEST = 10_000  # characters of a part as a person writes it
_HERE = Path(__file__).parent
_TYPES = {t.__name__: t for t in (int, float, bool, str, tuple)} | {"Literal": Literal}


@dataclass(frozen=True)
class Call:
    """A name with options, e.g. Call("wrn", {"depth": 28}); printed as it is written."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"{self.name}({inside})" if inside else self.name


@dataclass(frozen=True)
class Option:
    """One option of a part: its type as written, and its default (None where it has none)."""

    name: str
    type: str
    default: Any
    required: bool


@dataclass(frozen=True)
class Signature:
    """What the source says of a part.

    handed: names of the parameters before the star, in order.
    options: the keyword-only parameters.
    summary: the docstring's first line; `doc` is all of it, `module_doc` the module's.
    """

    name: str
    module: str
    handed: tuple[str, ...]
    options: tuple[Option, ...]
    summary: str
    doc: str
    module_doc: str


def parse(text: str) -> Call:
    """Read "name" or "name(option=literal, ...)". Raises UsageError for anything else."""
    calls = parse_chain(text)
    if len(calls) != 1:
        raise UsageError(f"{text!r} is not one name with options", remedy='"wrn(depth=28)"')
    return calls[0]


def parse_chain(text: str) -> tuple[Call, ...]:
    """Read "pad_crop(pixels=4) | flip" as a tuple of calls; "" and "none" are empty."""
    if text.strip() in ("", "none"):
        return ()
    try:
        if len(text) > _LONGEST:
            raise ValueError
        return tuple(_calls(ast.parse(text.strip(), mode="eval").body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(
            f"cannot read {text!r}",
            found="a part is written name(option=value, ...); parts are joined by |",
            remedy='for example "pad_crop(pixels=4) | flip"',
        ) from None


def _calls(node: ast.expr) -> list[Call]:
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _calls(left) + _calls(right)
        case ast.Name(id=name):
            return [Call(name)]
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
            if any(word.arg is None for word in keywords):
                raise ValueError
            options = {str(word.arg): _value(word.value) for word in keywords}
            if len(options) != len(keywords):
                raise ValueError
            return [Call(name, options)]
    raise ValueError


def _value(node: ast.expr) -> Any:
    value = ast.literal_eval(node)
    return tuple(value) if isinstance(value, list) else value


def literal(text: str) -> Any:
    """Read a value as it is written in a call; a bare word is a string."""
    try:
        return _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        return text


def names(package: str) -> tuple[str, ...]:
    """Return the parts of "hundredfold.models" and the like, sorted, without importing them.

    In a package a part is a file that defines a function of its own name; in a module it
    is any public function.
    """
    place = _place(package)
    if place.is_dir():
        files = [f for f in place.glob("*.py") if not f.stem.startswith("_")]
        return tuple(sorted(f.stem for f in files if f.stem in _functions(f)))
    return tuple(sorted(n for n in _functions(place) if not n.startswith("_")))


def describe(name: str, package: str) -> Signature:
    """Return the signature of a part from its source.

    Raises UsageError with "did you mean" for a name that is not there.
    """
    if name not in names(package):
        raise UsageError(f"no {_kind(package)} is called {name!r}", remedy=_ask(name, package))
    place = _place(package)
    file = place / f"{name}.py" if place.is_dir() else place
    function = _functions(file)[name]
    doc = ast.get_docstring(function) or ""
    return Signature(
        name=name,
        module=f"{package}.{name}" if place.is_dir() else package,
        handed=tuple(a.arg for a in function.args.posonlyargs + function.args.args),
        options=tuple(
            Option(a.arg, ast.unparse(a.annotation) if a.annotation else "", *_default(d))
            for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        ),
        summary=doc.partition("\n")[0],
        doc=doc,
        module_doc=_module_doc(file),
    )


def complete(call: Call, package: str) -> Call:
    """Check a call against its signature and spell out every default.

    Raises UsageError for an unknown name or option ("did you mean"), a missing option, or
    a value of another type.
    """
    signature = describe(call.name, package)
    known = {option.name: option for option in signature.options}
    for key in call.options:
        if key not in known:
            raise UsageError(
                f"{call.name} has no option {key!r}",
                found=str(call),
                remedy=did_you_mean(key, known) if known else f"{call.name} takes no options",
            )
    options = {}
    for option in signature.options:
        if option.name not in call.options and option.required:
            raise UsageError(f"{call.name} needs the option {option.name!r}", found=str(call))
        given = call.options.get(option.name, option.default)
        options[option.name] = _checked(call, option, given)
    return Call(call.name, options)


def resolve(call: Call, package: str) -> Callable[..., Any]:
    """Import the part and bind its options; the caller hands over what is before the star."""
    checked = complete(call, package)
    module = importlib.import_module(describe(call.name, package).module)
    return partial(getattr(module, call.name), **checked.options)


def _checked(call: Call, option: Option, given: Any) -> Any:
    if not option.type:
        return given
    wanted = eval(option.type, {"__builtins__": {}}, _TYPES)
    try:
        return TypeAdapter(wanted).validate_python(given, strict=True)
    except ValidationError:
        raise UsageError(
            f"{call.name}({option.name}={given!r}) is not of the type {option.type}",
            remedy=f"{call.name}({option.name}={option.default!r})" if option.default else None,
        ) from None


def _place(package: str) -> Path:
    path = _HERE.joinpath(*package.split(".")[1:])
    return path if path.is_dir() else path.with_suffix(".py")


def _kind(package: str) -> str:
    kinds = {"data": "data set", "augment": "augmentation"}
    last = package.rpartition(".")[2]
    return kinds.get(last, last.removesuffix("es") if last == "losses" else last.removesuffix("s"))


def _ask(name: str, package: str) -> str:
    return did_you_mean(name, names(package))


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _module_doc(file: Path) -> str:
    return ast.get_docstring(_tree(file)) or ""


def _functions(file: Path) -> dict[str, ast.FunctionDef]:
    return {n.name: n for n in _tree(file).body if isinstance(n, ast.FunctionDef)}


def _default(node: ast.expr | None) -> tuple[Any, bool]:
    return (None, True) if node is None else (ast.literal_eval(node), False)


def part_of(value: object) -> str:
    """Return how a recipe names a function, a class or a module that somebody holds in Python.

    Raises UsageError: only parts that ship can be named so far.
    """
    raise UsageError(
        f"{value!r:.60} cannot be a part of a recipe yet", remedy='the name of one: "resnet"'
    )
