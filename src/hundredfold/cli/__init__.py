"""The command line: one file per verb, imported only when the verb is called.

A verb is a function that prints text to stdout and returns a dictionary. With --json only that
dictionary is printed to stdout, and everything else goes to stderr.
"""

import json
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, get_args

from cyclopts import App, Group, Parameter, Token, convert
from rich.console import Console

from hundredfold import __version__, machine
from hundredfold.cli._failure import as_error
from hundredfold.cli._output import lasting_output
from hundredfold.cli._signals import follow_parent, terminable
from hundredfold.errors import CheckError, HundredfoldError, HundredfoldWarning
from hundredfold.events import shown_progress

_LEARN = Group("Learn", sort_key=0)
_USE = Group("Use", sort_key=1)
_LOOK = Group("Look", sort_key=2)

_VERBS = (
    ("train", _LEARN, "Train one recipe and leave a run."),
    ("study", _LEARN, "Train what is missing of a study, compare, and write its report."),
    ("tune", _LEARN, "Search good options of a recipe, and compare the winner anew."),
    ("watch", _LEARN, "Follow a training or a study on a page that renews itself."),
    ("evaluate", _LEARN, "Score a run on a split, with 95 % intervals."),
    ("predict", _USE, "Predict the classes of image files."),
    ("export", _USE, "Write a file that others can run, checked on images of the run."),
    ("serve", _USE, "Answer requests with predictions over HTTP."),
    ("report", _USE, "Write the HTML page of a run or a study."),
    ("data", _USE, "Fetch data sets, and check them before training."),
    ("runs", _LOOK, "List runs, show one, compare two, delete, free space."),
    ("models", _LOOK, "List models with their parameters, show one, or fetch weights."),
    ("recipes", _LOOK, "List the recipes and studies that ship, or show one."),
    ("doctor", _LOOK, "Check this machine: cores, precision, memory, disk, data."),
)
_APPS = ("data", "models", "runs")  # verbs with verbs of their own
_PLAIN = ("train",)  # <model> in its help is not a tag


def application() -> App:
    """Return the application with all verbs; a verb is imported when it is called."""
    app = App(
        name="hundredfold",
        help="Train image classifiers and learn honestly which one is better.",
        version=f"hundredfold {__version__}",
        default_parameter=Parameter(negative=(), converter=_exactly),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        console=Console(file=machine.styled(sys.stdout)),  # of --help
    )
    for index, (verb, group, line) in enumerate(_VERBS):
        target = f"hundredfold.cli.{verb}:{'app' if verb in _APPS else verb}"
        own: dict[str, Any] = {"help_format": "plaintext"} if verb in _PLAIN else {}
        app.command(target, name=verb, group=group, help=line, sort_key=index, **own)
    return app


def _exactly(kind: Any, tokens: Sequence[Token]) -> Any:
    """Convert the tokens of a parameter. Raises ValueError for 1.5 as an integer."""
    if int in (kind, *get_args(kind)):
        for token in tokens:
            if not token.value.lstrip("+-").isdecimal():  # cyclopts would round
                raise ValueError(f'"{token.value}" is not a whole number')
    return convert(kind, tokens)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    0 done, 1 internal error, 2 wrong usage or recipe, 3 bad data, 4 missing extra or weights,
    5 a check failed, 130 or 143 interrupted.
    """
    machine.wait_briefly()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    as_json = (
        "--json" in arguments[: arguments.index("--")]
        if "--" in arguments
        else "--json" in arguments
    )
    with lasting_output() as (out, err):
        with terminable(), warnings.catch_warnings():
            warnings.simplefilter("always", HundredfoldWarning)
            warnings.showwarning = _say_warning
            follow_parent()
            code, result = _carry_out(arguments, as_json)
        if as_json and result is not None:
            ascii_only = not out.encoding.lower().startswith("utf")
            out.write(json.dumps(_plain(result), indent=1, ensure_ascii=ascii_only) + "\n")
        out.flush()
        if out.failure is None or isinstance(out.failure, BrokenPipeError):
            return code  # a closed pipe is no error, as with `| head`
        error = CheckError(f"the output cannot be written: {out.failure.strerror}")
        err.write(f"error: {error}\n")
        return code or error.exit_code


def _carry_out(arguments: list[str], as_json: bool) -> tuple[int, Any]:
    """Return the exit code, and the value that --json prints."""
    try:
        with redirect_stdout(sys.stderr if as_json else sys.stdout), shown_progress():
            result = application()(arguments, exit_on_error=False, print_error=False)
            return result.get("exit_code", 0) if isinstance(result, dict) else 0, result
    except (Exception, KeyboardInterrupt) as problem:
        error = as_error(problem, arguments)
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
    """Return a value converted for JSON; numbers that are not finite become None."""
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
