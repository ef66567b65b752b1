"""The size of images: a height and a width in pixels, written 128 for a square, else "128x256"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from operator import index
from typing import TypeAlias

from hundredfold.errors import UsageError, shortened

PlainSize: TypeAlias = int | str  # as recipes and records write it: 128, or "128x256"

_WRITTEN = re.compile(r"([0-9]{1,9})(?:x([0-9]{1,9}))?")


@dataclass(frozen=True, eq=False)
class Size:
    """Height and width in pixels; a square equals its side as a number, and has its hash.

    Iteration gives height and width, `str` the text that `of` reads. 0 is false: no size.
    """

    height: int
    width: int

    @classmethod
    def of(cls, value: "SizeLike") -> "Size":
        """Read a size: 128, "128", "128x256" (HEIGHTxWIDTH), or (height, width).

        A single number is taken as it is, 0 and negative ones too: who uses it knows its range.
        Raises UsageError for anything else.
        """
        if isinstance(value, Size):
            return value
        try:
            if isinstance(value, str):
                return cls._written(value)
            if isinstance(value, tuple | list):
                height, width = map(index, value)
                return cls._of_sides(height, width)
            if not isinstance(value, bool):
                return cls(index(value), index(value))
        except (ValueError, TypeError):
            pass
        raise UsageError(
            f"{shortened(value)} is no size of images",
            found="a size is one number, or HEIGHTxWIDTH, in pixels",
            remedy="128, or 128x256",
        )

    @classmethod
    def _written(cls, text: str) -> "Size":
        match = _WRITTEN.fullmatch(text.strip().lower())
        if match is None:
            raise ValueError
        if match[2] is None:
            return cls(int(match[1]), int(match[1]))
        return cls._of_sides(int(match[1]), int(match[2]))

    @classmethod
    def _of_sides(cls, height: int, width: int) -> "Size":
        if height < 1 or width < 1:
            raise ValueError
        return cls(height, width)

    def __str__(self) -> str:
        return str(self.plain)

    def __iter__(self) -> Iterator[int]:
        return iter((self.height, self.width))

    def __bool__(self) -> bool:
        return bool(self.height and self.width)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Size):
            return tuple(self) == tuple(other)
        return self.is_square and self.height == other

    def __hash__(self) -> int:
        return hash(self.height) if self.is_square else hash(tuple(self))

    @property
    def is_square(self) -> bool:
        return self.height == self.width

    @property
    def plain(self) -> PlainSize:
        """The size as recipes and records write it: a number, or the text of a rectangle."""
        return self.height if self.is_square else f"{self.height}x{self.width}"

    @property
    def given(self) -> int | tuple[int, int]:
        """The size as functions get it that may be the user's own: a number, or both sides."""
        return self.height if self.is_square else (self.height, self.width)

    @property
    def least(self) -> int:
        """The shorter side."""
        return min(self.height, self.width)

    @property
    def most(self) -> int:
        """The longer side."""
        return max(self.height, self.width)

    @property
    def area(self) -> int:
        """The number of pixels."""
        return self.height * self.width

    @property
    def side(self) -> int:
        """The side of a square of as many pixels, rounded."""
        return round(sqrt(self.area))

    def scaled(self, factor: float) -> "Size":
        """Return both sides times a factor, rounded, at least 1."""
        return Size(max(1, round(factor * self.height)), max(1, round(factor * self.width)))

    def within(self, low: int, high: int) -> bool:
        """Return whether both sides are in [low, high]."""
        return low <= self.least and self.most <= high


SizeLike: TypeAlias = PlainSize | tuple[int, int] | Size

NO_SIZE = Size(0, 0)


def plain(value: SizeLike) -> PlainSize:
    """Return a size as recipes write it; see `Size.of`."""
    return Size.of(value).plain
