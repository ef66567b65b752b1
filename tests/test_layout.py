"""The sources as a whole: modules load from anywhere, layers name all, pages stay short."""

import ast
import configparser
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.modules import loadable

_ROOT = Path(__file__).resolve().parents[1]
_SOURCE = _ROOT / "src" / "hundredfold"
_FILES = {str(path.relative_to(_SOURCE)): path for path in sorted(_SOURCE.rglob("*.py"))}
_TEXTS = {name: path.read_text(encoding="utf-8") for name, path in _FILES.items()}

# To shrink: what is over a limit. An entry that is no longer needed fails its test.
_LONG_FILES: set[str] = set()
_LONG_FUNCTIONS: set[str] = set()
_LONG_SIGNATURES: set[str] = set()
# torch takes a second: the door names its types and loads it when something is computed.
# A server starts within one: its worker names the types of images and decodes none.
_TYPE_CHECKING = {"api/networks.py", "api/runs.py", "api/training.py", "onnx_model.py"}

_MOST_LINES = 300
_MEDIAN_LINES = 100
_MOST_LINES_OF_A_FUNCTION = 60  # its docstring counts
_MOST_PARAMETERS = 12

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Imports each module first of all of ours: forks share the libraries, which load once.
_IMPORT_EACH = """
import importlib, os, sys, traceback
for library in sys.argv[1].split():
    importlib.import_module(library)
failed = []
for name in sys.stdin.read().split():
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
print(*failed)
"""


def _functions() -> Iterator[tuple[str, Function]]:
    """Yield every function and method, under a name such as "cli/train.py train"."""
    for name, text in _TEXTS.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function):
                yield f"{name} {node.name}", node


def _lines(node: Function) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def _parameters(node: Function) -> int:
    given = node.args
    stars = [star for star in (given.vararg, given.kwarg) if star]
    return len([*given.posonlyargs, *given.args, *given.kwonlyargs, *stars])


def _words(text: str) -> set[str]:
    return set(text.replace("|", " ").split())


def _exactly(over: Iterable[str], known: set[str]) -> None:
    found = set(over)
    assert found - known == set(), "over the limit"
    assert known - found == set(), "no longer over the limit: take it out of the exceptions"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each module is imported in a fork")
def test_every_module_can_be_the_first_that_is_imported() -> None:
    """A circle of imports shows where it is entered from its other side."""
    names = loadable()
    assert len(names) > 150
    assert "hundredfold.training.loop" in names
    engine = ["keras"] if "hundredfold.engines.tensorflow.job" in names else []
    libraries = ["numpy", "PIL.Image", "torch", "pydantic", "rich.console", "cyclopts", *engine]
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_EACH, " ".join(libraries)],
        input=" ".join(names), capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr[-2000:]


def test_no_import_is_for_type_checkers_alone() -> None:
    _exactly((n for n, text in _TEXTS.items() if "TYPE_CHECKING" in text), _TYPE_CHECKING)


def test_the_layers_name_every_module_and_package() -> None:
    config = configparser.ConfigParser()
    config.read(_ROOT / ".importlinter")
    contract = config["importlinter:contract:layers"]
    assert contract["type"] == "layers"
    assert contract["containers"].split() == ["hundredfold"]
    assert contract.getboolean("exhaustive")
    layers, ignored = _words(contract["layers"]), _words(contract["exhaustive_ignores"])
    assert ignored == {"__main__"}
    packages = {path.parent.name for path in _SOURCE.glob("*/__init__.py")}
    modules = {path.stem for path in _SOURCE.glob("*.py")}
    assert layers == (packages | modules) - {"__init__"} - ignored


def test_the_median_file_is_a_page() -> None:
    assert statistics.median(len(text.splitlines()) for text in _TEXTS.values()) < _MEDIAN_LINES


def test_no_file_is_long() -> None:
    over = (name for name, text in _TEXTS.items() if len(text.splitlines()) > _MOST_LINES)
    _exactly(over, _LONG_FILES)


def test_no_function_is_long() -> None:
    over = (name for name, node in _functions() if _lines(node) > _MOST_LINES_OF_A_FUNCTION)
    _exactly(over, _LONG_FUNCTIONS)


def test_no_signature_is_long() -> None:
    over = (name for name, node in _functions() if _parameters(node) > _MOST_PARAMETERS)
    _exactly(over, _LONG_SIGNATURES)
