"""Parse durations such as 90s, 5m, 1.5h and 1h30m."""

import re

from hundredfold.errors import UsageError, shortened

LEAST, MOST = 10.0, 1000 * 3600.0  # seconds
_UNITS = {"s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> float:
    """Return "90s", "5m", "1.5h" or "1h30m" in seconds.

    Raises UsageError for other text, less than `LEAST` seconds, or more than `MOST`.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if (
        not parts
        or "".join(map("".join, parts)) != text.replace(" ", "")
        or not LEAST <= total <= MOST
    ):
        raise UsageError(
            f"{shortened(text)} is not a budget of time",
            found=f"a number and s, m or h, from {LEAST:.0f} s to {MOST / 3600:,.0f} h",
            remedy="--budget 5m",
        )
    return total
