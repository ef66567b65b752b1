"""Parts of a recipe, checked against their signatures, with every default filled in."""

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from hundredfold.errors import UsageError, did_you_mean, shortened
from hundredfold.spec._annotation import evaluate
from hundredfold.spec._call import Call, parse, parse_chain
from hundredfold.spec._own import PYTHON, OwnCode, OwnFiles, own_code, part_of
from hundredfold.spec._signature import Option, Signature, describe, describe_own


@dataclass(frozen=True)
class Part:
    """A function with its options; `str` returns it as a recipe writes it.

    package: that defines the name. own: the user's own code that defines it, or None.
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
        """Its signature, read from the source; empty where no source is readable."""
        if self.own is None:
            return describe(self.name, self.package)
        if not self.own.source or self.own.file == PYTHON:
            return Signature(self.name, PYTHON, (), (), "", "", "")
        return describe_own(self.name, self.own.source, self.own.file)

    def takes(self, option: str) -> bool:
        """Return whether it has an option of this name."""
        return option in {own.name for own in self.signature.options}

    def with_options(self, options: Mapping[str, Any]) -> "Part":
        """Return the part with some options changed; they are checked."""
        return _complete(Call(self.name, {**self.options, **options}), self.package, self.own)

    def resolve(self) -> Callable[..., Any]:
        """Import the function and bind its options; the caller passes the other parameters.

        Raises UsageError for a user's own code that is not trusted.
        """
        if self.own is not None:
            return partial(self.own.load(self.name), **self.options)
        module = importlib.import_module(describe(self.name, self.package).module)
        return partial(getattr(module, self.name), **self.options)


class Chain(tuple[Part, ...]):
    """Parts that are applied in order; `str` joins them by |."""

    __slots__ = ()

    def __str__(self) -> str:
        return " | ".join(map(str, self))


def part(text: str, package: str, files: OwnFiles | None = None) -> Part:
    """Parse a part as a recipe writes it, check it, and fill in every default.

    files: the user's own files. Raises UsageError for an unknown name or option ("did
    you mean"), a missing option, or a value of another type or out of range.
    """
    return _read(parse(text), package, files or OwnFiles())


def chain(text: str, package: str, files: OwnFiles | None = None) -> Chain:
    """Parse parts joined by |, each as `part` does; "" and "none" are empty."""
    return Chain(_read(call, package, files or OwnFiles()) for call in parse_chain(text))


def own_part(value: Any, package: str) -> Part:
    """Return the part of a function, a class or an object passed in Python; see `part_of`."""
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
    by_name = {option.name: option for option in signature.options}
    for key in call.options:
        if key not in by_name:
            raise UsageError(
                f"{call.name} has no option {shortened(key)}",
                found=shortened(call),
                remedy=did_you_mean(key, by_name) if by_name else f"{call.name} takes no options",
            )
    options = {}
    for option in signature.options:
        if option.name not in call.options and option.required:
            raise UsageError(f"{call.name} needs the option {option.name!r}", found=shortened(call))
        value = call.options.get(option.name, option.default)
        options[option.name] = _checked(call, option, value, own)
    return Part(call.name, options, package, own)


def _checked(call: Call, option: Option, value: Any, own: OwnCode | None) -> Any:
    if not option.annotation:
        return value
    try:
        return _adapter(option.annotation).validate_python(value, strict=True)
    except ValidationError as error:
        in_range = error.errors()[0]["type"] != "value_error"
        if option.limits and isinstance(value, int | float) and not isinstance(value, bool):
            fraction = isinstance(value, float) and math.isfinite(value) and not value.is_integer()
            of_another_type = fraction and "float" not in option.type
            in_range = of_another_type or value in option.limits
        raise _refused(call, option, value, not in_range) from None
    except (ValueError, PydanticUserError, SchemaError):
        if own is None:
            raise
        return value  # the user's own type is not checked


def _refused(call: Call, option: Option, value: Any, outside: bool) -> UsageError:
    limits, valid = option.limits, option.default
    if limits and outside and isinstance(value, int | float):
        nearest = limits.nearest(value)
        valid = nearest if nearest in limits else valid
    wrong = "out of range" if outside else f"not of the type {option.type}"
    return UsageError(
        f"{call.name}({option.name}={shortened(value)}) is {wrong}",
        found=f"{option.name} is {limits}" if limits else None,
        remedy=f"{call.name}({option.name}={valid!r})" if valid not in (None, "") else None,
    )


@cache
def _adapter(annotation: str) -> TypeAdapter[Any]:
    return TypeAdapter(evaluate(annotation))
