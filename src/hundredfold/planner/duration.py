"""Parse durations such as 90s, 5m, 1.5h and 1h30m."""

import re

from hundredfold.errors import UsageError

LEAST = 10.0  # seconds
_UNITS = {"s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> float:
    """Return "90s", "5m", "1.5h" or "1h30m" in seconds.

    Raises UsageError for other text, or less than `LEAST` seconds.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not parts or "".join(map("".join, parts)) != text.replace(" ", "") or total < LEAST:
        raise UsageError(
            f"{text!r} is not a budget of time",
            found=f"a number and s, m or h, at least {LEAST:.0f} s",
            remedy="--budget 5m",
        )
    return total
