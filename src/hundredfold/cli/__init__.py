"""The command line: one file per verb, each imported only when it is called.

A verb is a function that prints for people on stdout and returns a dictionary. With --json
the mount prints that dictionary instead, as the only thing on stdout; all else goes to stderr.
"""

import json
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, get_args

from cyclopts import App, Group, Parameter, Token, convert

from hundredfold import __version__, machine
from hundredfold.cli._failure import told
from hundredfold.cli._output import lasting_output
from hundredfold.cli._signals import follow_parent, terminable
from hundredfold.errors import CheckError, HundredfoldError, HundredfoldWarning
from hundredfold.events import shown_progress

_LEARN = Group("Learn", sort_key=0)
_USE = Group("Use", sort_key=1)
_LOOK = Group("Look", sort_key=2)

_VERBS = (
    ("train", _LEARN, "Train one recipe and leave a run."),
    ("study", _LEARN, "Train what a study lacks, compare, and write its report."),
    ("evaluate", _LEARN, "Score a run on a split, with 95 % intervals."),
    ("predict", _USE, "Name what is on image files."),
    ("report", _USE, "Write the HTML page of a run or a study."),
    ("data", _USE, "Fetch data sets, and check them before training."),
    ("runs", _LOOK, "List runs, or show one."),
    ("models", _LOOK, "List models with their parameters, or show one."),
    ("recipes", _LOOK, "List the recipes and studies that ship, or show one."),
    ("doctor", _LOOK, "Check this machine: cores, precision, memory, disk, data."),
)
_APPS = ("data",)  # verbs with verbs of their own
_PLAIN = ("train",)  # <model> in its help is no tag


def application() -> App:
    """Put the verbs together; none is imported before it is called."""
    app = App(
        name="hundredfold",
        help="Train image classifiers and learn honestly which one is better.",
        version=f"hundredfold {__version__}",
        default_parameter=Parameter(negative=(), converter=_exactly),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (verb, group, line) in enumerate(_VERBS):
        target = f"hundredfold.cli.{verb}:{'app' if verb in _APPS else verb}"
        own: dict[str, Any] = {"help_format": "plaintext"} if verb in _PLAIN else {}
        app.command(target, name=verb, group=group, help=line, sort_key=place, **own)
    return app


def _exactly(kind: Any, tokens: Sequence[Token]) -> Any:
    """Convert what is given for a parameter; 1.5 for a whole number is an error, not 2."""
    if int in (kind, *get_args(kind)):
        for token in tokens:
            if not token.value.lstrip("+-").isdecimal():  # cyclopts would round
                raise ValueError(f'"{token.value}" is not a whole number')
    return convert(kind, tokens)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line and return its exit code.

    0 done, 1 internal error, 2 wrong usage or recipe, 3 bad data, 4 missing extra or weights,
    5 a check failed, 130 or 143 interrupted.
    """
    machine.wait_briefly()
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given[: given.index("--")] if "--" in given else "--json" in given
    with lasting_output() as (out, err):
        with terminable(), warnings.catch_warnings():
            warnings.simplefilter("always", HundredfoldWarning)
            warnings.showwarning = _say_warning
            follow_parent()
            code, result = _carry_out(given, as_json)
        if as_json and result is not None:
            out.write(json.dumps(_plain(result), indent=1, ensure_ascii=False) + "\n")
        out.flush()
        if out.failure is None or isinstance(out.failure, BrokenPipeError):
            return code  # a reader who left has seen enough, as with `| head`
        error = CheckError(f"the output cannot be written: {out.failure.strerror}")
        err.write(f"error: {error}\n")
        return code or error.exit_code


def _carry_out(given: list[str], as_json: bool) -> tuple[int, Any]:
    """Return the exit code and what belongs on stdout with --json."""
    try:
        with redirect_stdout(sys.stderr if as_json else sys.stdout), shown_progress():
            result = application()(given, exit_on_error=False, print_error=False)
            return result.get("exit_code", 0) if isinstance(result, dict) else 0, result
    except (Exception, KeyboardInterrupt) as problem:
        error = told(problem, given)
        sys.stdout.flush()
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code, _as_json(error)


def _say_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    own = issubclass(category, HundredfoldWarning)
    text = str(message) if own else f"{category.__name__}: {message}"
    sys.stderr.write(f"warning: {text}\n")


def _as_json(error: HundredfoldError) -> dict[str, Any]:
    words = {"found": error.found, "try": error.remedy, "see": error.see}
    return {"error": {"message": error.message, **words}, "exit_code": error.exit_code}


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if isinstance(value, str | int | None) else str(value)


__all__ = ["application", "main"]
