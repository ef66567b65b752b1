"""Bounds of what a recipe, a study or an option may hold, before anything is built from it."""

from collections.abc import Mapping
from typing import Any, TypeVar

_DEPTH = 8  # of values within values
_VALUES = 50_000  # in all
_KEY = 200  # characters
_TEXT = 10_000  # characters
_BITS = 3_000  # of a whole number: 900 digits

T = TypeVar("T")


def bounded(value: T) -> T:
    """Return plain values: numbers, texts, and lists and mappings of them.

    Raises ValueError, in words, for what is too long, too deep or too many.
    """
    _count(value, _DEPTH, _VALUES)
    return value


def _count(value: Any, depth: int, left: int) -> int:
    """Return how many values are still allowed after this one."""
    if isinstance(value, str | bytes) and len(value) > _TEXT:
        raise ValueError(f"a text of {len(value):,} characters; at most {_TEXT:,}")
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise ValueError(f"a whole number of about {value.bit_length() * 3 // 10:,} digits")
    inner = list(value.values()) if isinstance(value, Mapping) else value
    for key in value if isinstance(value, Mapping) else ():
        if isinstance(key, str) and len(key) > _KEY:
            raise ValueError(f"a key of {len(key):,} characters; at most {_KEY}")
    if left <= 0:
        raise ValueError(f"more than {_VALUES:,} values")
    if not isinstance(inner, list | tuple | set | frozenset):
        return left - 1
    if depth == 0:
        raise ValueError(f"values within values; at most {_DEPTH} deep")
    for element in inner:
        left = _count(element, depth - 1, left - 1)
    return left
