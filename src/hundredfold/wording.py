"""Numbers as text, and text whose control characters are visible."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

NOTHING = "–"

_CONTROL = (
    *(code for code in range(32) if chr(code) not in "\t\n"),
    *range(0x7F, 0xA0),  # DEL and C1
    *range(0x202A, 0x202F),  # these and the next reverse the direction of text
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),  # a byte of a name that is no UTF-8
)
_ESCAPES = {code: f"\\u{code:04x}" for code in _CONTROL}


def visible(text: str) -> str:
    """Return text with control characters as \\u001b, except tab and line feed.

    Names of files, classes and runs may hold some that would steer a terminal or reverse a text.
    In JSON the escape reads back as the character.
    """
    return text.translate(_ESCAPES)


def one_line(text: str) -> str:
    """Return text as `visible` does, and its line feeds and tabs as \\u000a and \\u0009."""
    return visible(text).replace("\n", "\\u000a").replace("\t", "\\u0009")


def percent(fraction: Any, places: int = 1) -> str:
    """Return 0.512 as "51.2 %"; a value that is missing or not finite is a dash."""
    return f"{100 * fraction:.{places}f} %" if finite(fraction) else NOTHING


def points(fraction: Any, places: int = 1) -> str:
    """Return a difference of fractions in percentage points with its sign: "+1.3"."""
    return f"{100 * fraction:+.{places}f}".replace("-", "−") if finite(fraction) else NOTHING


def count(value: Any) -> str:
    """Return 10000 as "10,000"."""
    return f"{round(value):,}" if finite(value) else NOTHING


def decimal(value: Any, places: int = 3) -> str:
    """Return a number with a fixed number of decimal places."""
    return f"{value:.{places}f}" if finite(value) else NOTHING


def short(value: Any) -> str:
    """Return 36536884 as "36.5 M": three digits and a power of a thousand."""
    return _power(value, 1000, ("", "k", "M", "G", "T"))


def memory(value: Any) -> str:
    """Return a number of bytes as "1.2 GB", in powers of 1,000."""
    return _power(value, 1000, ("B", "kB", "MB", "GB", "TB"))


def seconds(value: Any) -> str:
    """Return 4521.3 as "1 h 15 min", 75 as "1 min 15 s", 4.12 as "4.1 s"."""
    if not finite(value):
        return NOTHING
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def interval(score: Mapping[str, Any], places: int = 1) -> str:
    """Return the bounds of a score in percent: "50.2–52.2"."""
    low, high = score.get("low"), score.get("high")
    if not (finite(low) and finite(high)):
        return NOTHING
    return f"{100 * low:.{places}f}–{100 * high:.{places}f}"


def times(value: int) -> str:
    """Return "once", "twice" or "5 times"."""
    return {0: "never", 1: "once", 2: "twice"}.get(value, f"{value:,} times")


def plural(value: int, word: str, many: str = "") -> str:
    """Return "1 seed" or "3 seeds"."""
    return f"{value:,} {word if value == 1 else many or word + 's'}"


def listed(words: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])


def finite(value: Any) -> TypeGuard[float]:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _power(value: Any, base: int, units: tuple[str, ...]) -> str:
    if not finite(value):
        return NOTHING
    step, size = 0, float(value)
    while size >= 999.5 and step < len(units) - 1:
        step, size = step + 1, size / base
    digits = f"{size:.0f}" if step == 0 or size >= 99.95 else f"{size:.3g}"
    return f"{digits} {units[step]}".strip()
