"""Read TOML text within bounds: a key of many dots alone would take gigabytes."""

import re
import tomllib
from typing import Any

from hundredfold.spec._bounds import bounded

LARGEST = 200_000  # bytes of a file, at most
_DOTS = 8  # of a key
_TEXTS = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'
    r"'''.*?'{3,5}|"
    r'"(?:\\[^\n]|[^"\\\n])*"|'
    r"'[^'\n]*'|"
    r"#[^\n]*",
    re.DOTALL,
)
_BETWEEN = re.compile(r"[=,\[\]{}\n]")


def parse_toml(text: str) -> dict[str, Any]:
    """Return the values of TOML text.

    Raises ValueError (TOMLDecodeError is one) for other text, and for what is too large.
    """
    if len(text) > LARGEST:
        raise ValueError(f"more than {LARGEST:,} characters")
    bare = _TEXTS.sub("_", text)
    if max(piece.count(".") for piece in _BETWEEN.split(bare)) > _DOTS:
        raise ValueError(f"a key of more than {_DOTS} dots")
    try:
        return bounded(tomllib.loads(text))
    except (RecursionError, MemoryError):
        raise ValueError("values within values, too deep") from None
