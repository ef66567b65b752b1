"""A part that a recipe names, checked against its signature, with every option spelled out."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from hundredfold.errors import UsageError, did_you_mean
from hundredfold.spec._call import Call, parse, parse_chain
from hundredfold.spec._own import PYTHON, OwnCode, OwnFiles, own_code, part_of
from hundredfold.spec._signature import Option, Signature, describe, describe_own

_TYPES = {t.__name__: t for t in (int, float, bool, str, tuple)} | {"Literal": Literal}


@dataclass(frozen=True)
class Part:
    """A function with its options; printed as a recipe writes it.

    package: where its name is looked for. own: the code of a user's own that defines it.
    """

    name: str
    options: Mapping[str, Any]
    package: str
    own: OwnCode | None = None

    def __str__(self) -> str:
        return str(Call(self.name, self.options, self.own.file if self.own else ""))

    def __hash__(self) -> int:
        return hash((str(self), self.package, self.own))

    @property
    def signature(self) -> Signature:
        """What the source says of it; nothing handed over where no source can be read."""
        if self.own is None:
            return describe(self.name, self.package)
        if not self.own.source or self.own.file == PYTHON:
            return Signature(self.name, PYTHON, (), (), "", "", "")
        return describe_own(self.name, self.own.source, self.own.file)

    def takes(self, option: str) -> bool:
        """Tell whether it has an option of this name."""
        return option in {known.name for known in self.signature.options}

    def with_options(self, options: Mapping[str, Any]) -> "Part":
        """Return the part with some options changed; they are checked."""
        return _complete(Call(self.name, {**self.options, **options}), self.package, self.own)

    def resolve(self) -> Callable[..., Any]:
        """Import the function and bind its options; the caller hands over what is before the star.

        Raises UsageError for code of a user's own that may not run.
        """
        if self.own is not None:
            return partial(self.own.load(self.name), **self.options)
        module = importlib.import_module(describe(self.name, self.package).module)
        return partial(getattr(module, self.name), **self.options)


class Chain(tuple[Part, ...]):
    """Parts that are done in their order; printed as they are written, joined by |."""

    __slots__ = ()

    def __str__(self) -> str:
        return " | ".join(map(str, self))


def part(text: str, package: str, files: OwnFiles | None = None) -> Part:
    """Read a part as a recipe writes it, check it, and spell out every default.

    files: where files of a user's own lie. Raises UsageError for an unknown name or option ("did
    you mean"), a missing option, or a value of another type.
    """
    return _read(parse(text), package, files or OwnFiles())


def chain(text: str, package: str, files: OwnFiles | None = None) -> Chain:
    """Read parts joined by |, as `part` does each; "" and "none" are empty."""
    return Chain(_read(call, package, files or OwnFiles()) for call in parse_chain(text))


def own_part(value: Any, package: str) -> Part:
    """Return a function, a class or an object that Python was given as a part; see `part_of`."""
    name, own = part_of(value)
    signature = Part(name, {}, package, own).signature
    options = {option.name: option.default for option in signature.options if not option.required}
    return Part(name, options, package, own)


def resolve(text: str | Part, package: str) -> Callable[..., Any]:
    """Return the function of a part, its options bound; see `part` and `Part.resolve`."""
    return (text if isinstance(text, Part) else part(text, package)).resolve()


def _read(call: Call, package: str, files: OwnFiles) -> Part:
    return _complete(call, package, own_code(call.file, files) if call.file else None)


def _complete(call: Call, package: str, own: OwnCode | None) -> Part:
    signature = Part(call.name, {}, package, own).signature
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
        value = call.options.get(option.name, option.default)
        options[option.name] = _checked(call, option, value, own)
    return Part(call.name, options, package, own)


def _checked(call: Call, option: Option, value: Any, own: OwnCode | None) -> Any:
    try:
        wanted = eval(option.type or "None", {"__builtins__": {}}, _TYPES)
    except (NameError, AttributeError, TypeError, SyntaxError):
        if own is None:
            raise
        return value  # a type of the user's own, which is not ours to check
    if not option.type:
        return value
    try:
        return TypeAdapter(wanted).validate_python(value, strict=True)
    except ValidationError:
        raise UsageError(
            f"{call.name}({option.name}={value!r}) is not of the type {option.type}",
            remedy=f"{call.name}({option.name}={option.default!r})" if option.default else None,
        ) from None
