"""Convert any exception that ends a command to one sentence with a remedy and an exit code."""

import errno
import os
import signal
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from cyclopts import CycloptsError, UnknownCommandError, UnknownOptionError
from platformdirs import user_log_path

from hundredfold.errors import (
    CheckError,
    HundredfoldError,
    Interrupted,
    Terminated,
    UsageError,
    did_you_mean,
)
from hundredfold.shortage import is_shortage, shortage

_FULL = "free some space, or choose another --out"
_CLOSED = "choose another --out, or set HUNDREDFOLD_CACHE to a folder that can be written"
_PATH = "another path"
_OUTSIDE: dict[int, tuple[type[HundredfoldError], str]] = {
    errno.ENOSPC: (CheckError, _FULL),
    errno.EDQUOT: (CheckError, _FULL),
    errno.ENAMETOOLONG: (UsageError, "a shorter name"),
    errno.EROFS: (UsageError, _CLOSED),
    errno.EACCES: (UsageError, _CLOSED),
    errno.EPERM: (UsageError, _CLOSED),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), (CheckError, "raise the limit: ulimit -n 4096")),
    **dict.fromkeys((errno.ELOOP, errno.ENOTDIR, errno.EISDIR), (UsageError, _PATH)),
}
_OTHER = (CheckError, "check the disk and the folder, then run it again")


def as_error(problem: BaseException, arguments: Sequence[str]) -> HundredfoldError:
    """Return the error to report for an exception that ended a command line."""
    if isinstance(problem, HundredfoldError):
        return problem
    if isinstance(problem, KeyboardInterrupt):
        number = signal.SIGTERM if isinstance(problem, Terminated) else signal.SIGINT
        return Interrupted("interrupted", signal_number=number)
    if isinstance(problem, CycloptsError):
        return _usage(problem, arguments)
    if is_shortage(problem):
        return shortage(problem)
    if isinstance(problem, OSError) and problem.errno:  # the machine's, not this program's
        where = f": {str(problem.filename)!r}" if problem.filename else ""
        message = f"{problem.strerror or type(problem).__name__}{where}"
        kind, remedy = _OUTSIDE.get(problem.errno, _OTHER)
        return kind(message, remedy=remedy)
    return _internal(problem, arguments)


def _usage(problem: CycloptsError, arguments: Sequence[str]) -> UsageError:
    chain = " ".join(("hundredfold", *(problem.command_chain or ())))
    if isinstance(problem, UnknownCommandError) and problem.unused_tokens and problem.app:
        token = problem.unused_tokens[0]
        verbs = [name for name in problem.app if not name.startswith("-")]
        return UsageError(
            f"{chain} has no verb {token!r}", remedy=did_you_mean(token, verbs), see=f"{chain} -h"
        )
    message = " ".join(str(problem).split()).partition(" Did you mean ")[0]
    message = message.rstrip(".") or f"cannot read {' '.join(arguments)!r}"
    return UsageError(
        message[0].lower() + message[1:],
        remedy=_meant(problem),
        see=f"{chain} --help",
    )


def _meant(problem: CycloptsError) -> str | None:
    """Return "did you mean --x?" where an unknown option is close to a known one, else None."""
    if not isinstance(problem, UnknownOptionError) or not problem.argument_collection:
        return None
    from hundredfold.api.options import closest  # a heavy import that no other error needs

    option = problem.token.keyword or problem.token.value
    names = [name for argument in problem.argument_collection for name in argument.names]
    near = closest(option, [n for n in names if n.startswith("--")])
    return f"did you mean {near}?" if near else None


def _internal(problem: BaseException, arguments: Sequence[str]) -> HundredfoldError:
    words = " ".join(str(problem).split()) or "no message"
    message = f"internal error: {type(problem).__name__}: {words[:300]}"
    trace = f"hundredfold {' '.join(arguments)}\n\n{''.join(traceback.format_exception(problem))}"
    if os.environ.get("HUNDREDFOLD_DEBUG") == "1":
        return HundredfoldError(message, found=f"\n{trace}")
    return HundredfoldError(
        message, remedy="HUNDREDFOLD_DEBUG=1 shows where it happened", see=_written(trace)
    )


def _written(trace: str) -> str | None:
    """Write a traceback to the user's log folder; return its path, or None on failure."""
    try:
        folder = Path(user_log_path("hundredfold", appauthor=False))
        path = folder / f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(trace, encoding="utf-8", errors="backslashreplace")
    except Exception:  # the report of an error must not fail itself, as without a home
        return None
    return str(path)
