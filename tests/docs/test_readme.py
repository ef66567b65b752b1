"""Every line of code in README.md is executed, in the order in which it is printed.

`make demo` and `make test` are not: they make an environment from the package registry, and the
second would run this file. The workflow in .github calls both. The lines of "Install" are in a
console block, as they need the registry too.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

README = Path(__file__).resolve().parents[2] / "README.md"

# A reader waits minutes for these; a test does not. All else runs as it is printed.
QUICKER = {
    "--budget 5m": "--budget 10s",
    "study quickstart": "study quickstart --quick --seeds 1",
    'data="digits", seeds=3': 'data="digits", seeds=2, quick=True',
}


def blocks(language: str) -> list[str]:
    """Return README's blocks of code in a language, in order."""
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, README.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def quicker(code: str) -> str:
    """Return code with what takes minutes replaced as QUICKER says, and nothing else."""
    for slow, quick in QUICKER.items():
        code = code.replace(slow, quick)
    return code


MAKE, *SHELL = blocks("sh")
COMMANDS = [line for block in SHELL for line in block.splitlines()]
PYTHON = blocks("python")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `photos` of two classes, a.jpg, and a command `hundredfold`."""
    folder = tmp_path_factory.mktemp("readme")
    draw = np.random.default_rng(0)
    for label, bright in (("cats", 60), ("dogs", 180)):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(60):
            pixels = np.clip(draw.normal(bright, 30, (40, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{number}.jpg")
    Image.fromarray(pixels).save(folder / "a.jpg")
    command = folder / "bin" / "hundredfold"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hundredfold "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    """Return variables that keep the code off the network and away from the user's cache."""
    return {
        **os.environ,
        "HUNDREDFOLD_CACHE": str(folder / "cache"),
        "HUNDREDFOLD_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }


def execute(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"


def test_the_first_block_names_the_two_commands():
    assert [line.partition("  #")[0].strip() for line in MAKE.splitlines()] == [
        "make demo",
        "make test",
    ]


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_does_what_it_says(line, folder, environment):
    execute(["sh", "-c", quicker(line)], folder, environment)


def test_the_python_code_leaves_runs_with_scores_and_pages(folder, environment):
    code = quicker("\n".join(PYTHON))
    execute([sys.executable, "-c", code], folder, environment)
    runs = [file.parent for file in folder.glob("runs/*digits*/scores.json")]
    scored = [json.loads((run / "scores.json").read_text()) for run in runs]
    assert any("test.top_1" in scores for scores in scored)
    assert any((run / "report.html").is_file() for run in runs)


def test_what_is_made_quicker_still_stands_in_the_readme():
    code = "\n".join((*SHELL, *PYTHON))
    assert all(slow in code for slow in QUICKER)
