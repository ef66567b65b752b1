"""A part of a recipe knows no other part, so that adding or removing one touches nothing else."""

import ast
from pathlib import Path

import pytest

import hundredfold
from hundredfold import spec
from hundredfold.recipe import PACKAGES

_ROOT = Path(hundredfold.__file__).parent
_FURTHER = {"hundredfold.metrics", "hundredfold.reports.exhibits"}


def folder(package: str) -> Path:
    return _ROOT.joinpath(*package.split(".")[1:])


_PARTS = [
    (package, name)
    for package in sorted({*PACKAGES.values()} | _FURTHER)
    if folder(package).is_dir()
    for name in spec.names(package)
]


def imported(path: Path) -> set[str]:
    """Return the full names of all that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(("package", "name"), _PARTS)
def test_a_part_imports_no_other_part(package: str, name: str) -> None:
    path = folder(package) / f"{name}.py"
    others = {f"{package}.{other}" for other in spec.names(package) if other != name}
    assert not imported(path) & others


@pytest.mark.parametrize(("package", "name"), _PARTS)
def test_a_part_says_what_it_does(package: str, name: str) -> None:
    signature = spec.describe(name, package)
    assert signature.summary.endswith((".", ":"))
    assert signature.module_doc
