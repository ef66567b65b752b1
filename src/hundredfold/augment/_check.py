"""Check the ranges of an operation's options."""

from hundredfold.errors import UsageError


def within(operation: str, option: str, value: float, low: float, high: float) -> None:
    """Raise UsageError unless low <= value <= high (not a number is never within)."""
    if not low <= value <= high:
        raise UsageError(
            f"{operation}({option}={value!r}) is out of range",
            found=f"{option} is a number from {low:g} to {high:g}",
            remedy=f"{operation}({option}={min(max(value, low), high):g})",
        )
