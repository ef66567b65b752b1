"""The errors that a user can cause: one sentence, the cause, a remedy, and an exit code."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

_LINE, _WORD = 600, 500  # characters of a line and of a word of an error, at most
_PLAIN = (int, float, bytes, list, tuple, dict, set, frozenset)


class HundredfoldError(Exception):
    """Stop with one sentence and a remedy; `exit_code` is the exit code of the command.

    message: one sentence that names the wrong input.
    found:   the actual value, or the valid ones.
    remedy:  a command or a change that helps.
    see:     a file or a command with more information.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        found: str | None = None,
        remedy: str | None = None,
        see: str | None = None,
    ) -> None:
        super().__init__(_cut(message))
        self.message = _cut(message)
        self.found = found and _cut(found)
        self.remedy = remedy and _cut(remedy)
        self.see = see

    def __str__(self) -> str:
        lines = [self.message]
        for word, text in (("found", self.found), ("try", self.remedy), ("see", self.see)):
            if text:
                lines.append(f"  {word + ':':<7}{text}")
        return "\n".join(lines)


class UsageError(HundredfoldError):
    """A wrong option, recipe, part name or run name (exit 2)."""

    exit_code = 2


class DataError(HundredfoldError):
    """Images or archives that cannot be used (exit 3)."""

    exit_code = 3


class MissingError(HundredfoldError):
    """A missing extra or weights file (exit 4)."""

    exit_code = 4


class CheckError(HundredfoldError):
    """A failed check: a loss that is not finite, a file that does not match (exit 5)."""

    exit_code = 5


def kind_of(exit_code: int) -> type[HundredfoldError]:
    """Return the class of an error of another process, by its exit code."""
    kinds = (UsageError, DataError, MissingError, CheckError)
    return next((kind for kind in kinds if kind.exit_code == exit_code), HundredfoldError)


class Interrupted(HundredfoldError):
    """A signal ended the command; the state is saved (exit 130 for SIGINT, 143 for SIGTERM).

    run: the folder of the run that can be resumed, if any.
    """

    def __init__(self, message: str, *, signal_number: int, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = 128 + signal_number
        self.run: Path | None = None


class HundredfoldWarning(UserWarning):
    """An oddity that does not stop the command."""


class Terminated(KeyboardInterrupt):
    """SIGTERM as an exception, like KeyboardInterrupt for Ctrl-C."""


def _cut(text: str) -> str:
    """Return text with the middle of long words and long lines left out."""
    if len(text) <= _WORD:
        return text
    text = re.sub(rf"\S{{{_WORD},}}", lambda match: _ends(match[0], _WORD // 3), text)
    return "\n".join(_ends(line, _LINE) for line in text.split("\n"))


def _ends(text: str, most: int) -> str:
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def pip_install(*packages: str) -> str:
    """Return the command that installs packages."""
    return f"pip install {' '.join(packages)}"


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the closest of the choices, else the list of all."""
    names = sorted(choices)
    close = difflib.get_close_matches(name[:100], names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(names)}"


def shortened(value: object, most: int = 200) -> str:
    """Return a value for a message: text in quotes, its middle left out where it is long.

    A very long whole number is said by its number of digits.
    """
    if isinstance(value, str):
        if len(value) <= most:
            return repr(value)
        half = most // 2
        return f"{value[:half]!r} ... {value[-half:]!r} ({len(value):,} characters)"
    if isinstance(value, int) and value.bit_length() > 4 * most:
        return f"a whole number of about {value.bit_length() * 3 // 10:,} digits"
    try:
        text = repr(value) if isinstance(value, _PLAIN) else str(value)
    except (ValueError, RecursionError):  # it holds such a number, or lies too deep
        return f"a {type(value).__name__} too large to show"
    return _ends(text, most)
