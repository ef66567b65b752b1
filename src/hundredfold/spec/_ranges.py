"""Ranges of numbers, as annotations: `momentum: BelowOne = 0.9`.

pydantic checks them, in a part's options as in the fields of a recipe and a study. Help and
documentation print them.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from hundredfold.errors import UsageError, shortened
from hundredfold.size import PlainSize, Size, plain


class Limits:
    """The base of `Range` and `OneOf`: what a number may be.

    `value in limits` is False for a value that is no number. `str` says the limits in words.
    """

    def __contains__(self, value: Any) -> bool:
        raise NotImplementedError

    def nearest(self, value: float) -> float:
        """Return the number that is closest to a wrong one: valid, or an open bound."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return pydantic's schema of the annotated type, followed by the check."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, value: float) -> float:
        if value not in self:
            raise ValueError(str(self))
        return value


def need(name: str, value: Any, limits: Limits) -> None:
    """Raise UsageError for a number of this name that is not within its limits."""
    if isinstance(value, str) and value in limits:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise UsageError(f"{name}={shortened(value)} is no number", found=f"{name} is {limits}")
    if value not in limits:
        raise UsageError(
            f"{name}={shortened(value)} is out of range",
            found=f"{name} is {limits}",
            remedy=f"{name}={limits.nearest(value)!r}",
        )


@dataclass(frozen=True)
class Range(Limits):
    """The numbers from low to high, both finite.

    open_low, open_high: whether the bound itself is left out. step: distance of valid numbers from
    low on; 0 allows all. also: further valid values, such as 0 for "automatic", or a word.
    """

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False
    step: int = 0
    also: tuple[float | str, ...] = ()

    def __contains__(self, value: Any) -> bool:
        if value in self.also:
            return True
        if isinstance(value, str):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return bool(above and below and not (self.step and (value - self.low) % self.step))

    def nearest(self, value: float) -> float:
        if not value >= self.low:  # or not a number
            numbers = (n for n in self.also if not isinstance(n, str))
            return min((n for n in numbers if n < self.low), default=self.low)
        if value > self.high or not self.step:
            return self.high
        return self.low + (value - self.low + self.step // 2) // self.step * self.step

    def __str__(self) -> str:
        words = f"a number {'above' if self.open_low else 'from'} {_number(self.low)} "
        words += f"to {'below ' if self.open_high else ''}{_number(self.high)}"
        words += f" in steps of {self.step}" if self.step else ""
        return ", or ".join([", ".join(map(_number, self.also)), words] if self.also else [words])


@dataclass(frozen=True)
class Sides(Range):
    """Sizes of images, as `size.Size.of` reads them, whose height and width lie in the range."""

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, float):
            return False
        return all(super(Sides, self).__contains__(side) for side in Size.of(value))

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return pydantic's schema: the size in its one spelling, followed by the check."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self._spelled)

    def _spelled(self, value: Any) -> PlainSize:
        if value not in self:
            raise ValueError(str(self))
        return plain(value)

    def __str__(self) -> str:
        return f"{super().__str__()}, or HEIGHTxWIDTH"


@dataclass(frozen=True, init=False)
class OneOf(Limits):
    """One of some numbers, in ascending order."""

    values: tuple[float, ...]

    def __init__(self, *values: float) -> None:
        object.__setattr__(self, "values", tuple(sorted(values)))

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def nearest(self, value: float) -> float:
        return min(self.values, key=lambda valid: abs(valid - value))

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"


Fraction: TypeAlias = Annotated[float, Range(0, 1)]
BelowOne: TypeAlias = Annotated[float, Range(0, 1, open_high=True)]
PositiveFraction: TypeAlias = Annotated[float, Range(0, 1, open_low=True)]
Rate: TypeAlias = Annotated[float, Range(0, 1_000_000)]  # a learning rate, and its factors
Decay: TypeAlias = Annotated[float, Range(0, 1_000)]
THREADS = Range(0, 1024)
DEVICES = Range(1, 1024, also=("all",))
Threads: TypeAlias = Annotated[int, THREADS]
PixelsOrAuto: TypeAlias = Annotated[PlainSize, Sides(8, 1024, also=(0,))]


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (math.isfinite(value) and value == int(value)):
        return f"{int(value):,}"
    return f"{value:g}"
