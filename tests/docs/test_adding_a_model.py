"""The change that docs/adding-a-model.md shows is applied to a copy and tested there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "adding-a-model.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources and the models' tests with the page's diff applied."""
    if shutil.which("git") is None:
        pytest.skip("there is no git to apply the diff")
    copy = tmp_path_factory.mktemp("adding")
    unneeded = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "src", copy / "src", ignore=unneeded)
    for part in ("pyproject.toml", "tests/models/test_counts.py", "tests/laws/test_models.py"):
        (copy / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / part, copy / part)
    [diff] = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)}
    subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=copy, env=alone, check=True)
    return copy


def python(patched: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(patched / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=patched, env=environment, capture_output=True, text=True)


def test_one_file_and_one_line_are_all_there_is_to_it():
    [diff] = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
    assert re.findall(r"^\+\+\+ b/(.*)$", diff, re.MULTILINE) == [
        "src/hundredfold/models/all_cnn.py",
        "tests/models/test_counts.py",
    ]
    counts = diff.partition("+++ b/tests")[2]
    assert len(re.findall(r"^\+ ", counts, re.MULTILINE)) == 1


def test_the_new_file_has_the_pinned_count_and_keeps_every_law(patched):
    tests = ("tests/laws/test_models.py", "tests/models/test_counts.py")
    done = python(patched, "-m", "pytest", *tests, "-k", "all_cnn", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) >= 25, done.stdout


def test_the_new_file_is_found_by_the_command_line(patched):
    done = python(patched, "-m", "hundredfold", "models", "all_cnn(dropout=0.3)", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parameters"] == 1_387_108


def test_the_new_file_is_tidy(patched):
    pytest.importorskip("ruff")
    file = "src/hundredfold/models/all_cnn.py"
    assert python(patched, "-m", "ruff", "check", file).returncode == 0
    formatted = python(patched, "-m", "ruff", "format", "--check", file)
    assert formatted.returncode == 0, formatted.stdout
