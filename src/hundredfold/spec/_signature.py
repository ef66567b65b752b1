"""Read a part's signature from its source: options with types and defaults, docstrings."""

import ast
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hundredfold.errors import UsageError, did_you_mean, shortened
from hundredfold.spec._annotation import evaluate, limits_of, plain
from hundredfold.spec._bounds import bounded
from hundredfold.spec._ranges import Limits

_PACKAGE = Path(__file__).parents[1]
_KINDS = {"data": "data set", "augment": "augmentation", "strategies": "strategy"}

Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Option:
    """One option of a part.

    type: plain, such as "float" or "tuple[int, ...]". default: None where it has none.
    annotation: as written. limits: of its numbers, or None.
    """

    name: str
    type: str
    default: Any
    required: bool
    annotation: str = ""
    limits: Limits | None = None


@dataclass(frozen=True)
class Signature:
    """The signature of a part, read from its source.

    handed: names of the parameters that the program passes, in order (before the star).
    options: that a recipe may set (after the star).
    summary: first line of the docstring. doc: all of it. module_doc: of the module.
    """

    name: str
    module: str
    handed: tuple[str, ...]
    options: tuple[Option, ...]
    summary: str
    doc: str
    module_doc: str


def names(package: str) -> tuple[str, ...]:
    """Return the parts of "hundredfold.models" and the like, sorted, without importing them.

    In a package a part is a file that defines a function of its own name; in a module it
    is any public function.
    """
    path = _path(package)
    if path.is_dir():
        files = [f for f in path.glob("*.py") if not f.stem.startswith("_")]
        return tuple(sorted(f.stem for f in files if f.stem in _functions(f)))
    return tuple(sorted(n for n in _functions(path) if not n.startswith("_")))


def describe(name: str, package: str) -> Signature:
    """Return the signature of a part from its source.

    Raises UsageError with "did you mean" for a name that is not there.
    """
    if name not in names(package):
        raise UsageError(
            f"no {_kind(package)} is called {shortened(name)}",
            remedy=did_you_mean(name, names(package)),
        )
    path = _path(package)
    file = path / f"{name}.py" if path.is_dir() else path
    module = f"{package}.{name}" if path.is_dir() else package
    return _signature(_functions(file)[name], module, ast.get_docstring(_tree(file)) or "")


def constants(name: str, package: str) -> dict[str, Any]:
    """Return the upper-case constants of a part's file, such as TITLE = "loss", from its source.

    Only literals are returned. Raises UsageError with "did you mean" for a name that is not there.
    """
    path = _path(package)
    if name not in names(package) or not path.is_dir():
        raise UsageError(
            f"no {_kind(package)} is called {shortened(name)}",
            remedy=did_you_mean(name, names(package)),
        )
    values = {}
    for node in _tree(path / f"{name}.py").body:
        match node:
            case ast.Assign(targets=[ast.Name(id=constant)], value=value) if constant.isupper():
                with suppress(ValueError):
                    values[constant] = ast.literal_eval(value)
    return values


def describe_own(name: str, source: str, file: str) -> Signature:
    """Return the signature of a function or class in a user's own file, without running it.

    Every parameter with a default is an option. Raises UsageError where the file
    does not define the name at its top level.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{file} is not Python", found=str(error)) from None
    definitions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    if name not in definitions:
        raise UsageError(
            f"{file} has no function or class {shortened(name)}",
            remedy=did_you_mean(name, definitions)
            if definitions
            else "define one at its top level",
        )
    return _signature(definitions[name], file, ast.get_docstring(tree) or "")


def _signature(definition: Definition, module: str, module_doc: str) -> Signature:
    doc = ast.get_docstring(definition) or ""
    arguments = _arguments(definition)
    positional = arguments.posonlyargs + arguments.args
    if isinstance(definition, ast.ClassDef):
        positional = positional[1:]  # self
    required = len(positional) - len(arguments.defaults)
    options = [
        *zip(positional[required:], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return Signature(
        name=definition.name,
        module=module,
        handed=tuple(a.arg for a in positional[:required]),
        options=tuple(_option(argument, default) for argument, default in options),
        summary=doc.partition("\n")[0],
        doc=doc,
        module_doc=module_doc,
    )


def _arguments(definition: Definition) -> ast.arguments:
    if isinstance(definition, ast.FunctionDef):
        return definition.args
    methods = [n for n in definition.body if isinstance(n, ast.FunctionDef)]
    init = [method for method in methods if method.name == "__init__"]
    nothing = ast.parse("def __init__(self): ...").body[0]
    assert isinstance(nothing, ast.FunctionDef)
    return (init or [nothing])[0].args


def _option(argument: ast.arg, default: ast.expr | None) -> Option:
    annotation = _text(argument.annotation) if argument.annotation else ""
    limits = None
    with suppress(ValueError):  # the user's own type
        limits = limits_of(evaluate(annotation)) if annotation else None
    name, kind = argument.arg, plain(annotation)
    if default is None:
        return Option(name, kind, None, True, annotation, limits)
    try:
        value = bounded(ast.literal_eval(default))
        return Option(name, kind, value, False, annotation, limits)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise UsageError(
            f"the default of {name} is {shortened(_text(default))}, not a plain value",
            remedy="a number, text, True, False or a tuple of these",
        ) from None


def _text(node: ast.expr) -> str:
    """Return an expression as it may be written; "..." for one that is too deep or too long."""
    try:
        return ast.unparse(node)
    except (ValueError, RecursionError, MemoryError):
        return "..."


def _path(package: str) -> Path:
    path = _PACKAGE.joinpath(*package.split(".")[1:])
    return path if path.is_dir() else path.with_suffix(".py")


def _kind(package: str) -> str:
    last = package.rpartition(".")[2]
    return _KINDS.get(last, last.removesuffix("es") if last == "losses" else last.removesuffix("s"))


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _functions(file: Path) -> dict[str, ast.FunctionDef]:
    return {n.name: n for n in _tree(file).body if isinstance(n, ast.FunctionDef)}
