"""Every error a user can cause: one sentence, what was found, what to do, and an exit code."""

import difflib
from collections.abc import Iterable
from pathlib import Path


class HundredfoldError(Exception):
    """Stop with one sentence and a remedy; `exit_code` is what the command returns.

    message: one sentence that names what was given.
    found:   what was found instead, or what would be right.
    remedy:  a command or a change that would help.
    see:     where to look further.
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
        super().__init__(message)
        self.message = message
        self.found = found
        self.remedy = remedy
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
    """An extra or a weights file that is not there (exit 4)."""

    exit_code = 4


class CheckError(HundredfoldError):
    """A check that failed: a loss that is not finite, a file that does not match (exit 5)."""

    exit_code = 5


class Interrupted(HundredfoldError):
    """A signal ended the work; the state was saved (exit 130 for SIGINT, 143 for SIGTERM).

    run: the folder of the run that can be resumed, where there is one.
    """

    def __init__(self, message: str, *, signal_number: int, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = 128 + signal_number
        self.run: Path | None = None


class HundredfoldWarning(UserWarning):
    """Something that is odd and does not stop the work."""


class Terminated(KeyboardInterrupt):
    """SIGTERM as an exception, as Ctrl-C is one."""


def pip_install(*packages: str) -> str:
    """Return the command that installs packages, whatever index Hundredfold itself came from."""
    return f"pip install {' '.join(packages)}"


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the closest known name, or the list of all that exist."""
    names = sorted(choices)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(names)}"


def shortened(text: str, most: int = 200) -> str:
    """Return text quoted for a message, its middle left out where it is long."""
    if len(text) <= most:
        return repr(text)
    half = most // 2
    return f"{text[:half]!r} ... {text[-half:]!r} ({len(text):,} characters)"
