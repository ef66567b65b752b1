"""Output that is closed, left by its reader or full: no verb fails for it, no training ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hundredfold.run import Run

FULL = Path("/dev/full")
TRAIN = ["train", "--data", "shapes(size=18, classes=4, images=20)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--patience", "0"]  # fmt: skip
VERBS = [
    ["--help"],
    ["runs"],
    ["runs", "--json"],
    ["recipes"],
    ["evaluate", "a", "--json"],
    ["report", "a"],
    [*TRAIN, "--epochs", "1", "--name", "again"],
]


def _start(folder: Path, arguments: list[str], redirection: str) -> subprocess.Popen[bytes]:
    """Start a command in a folder through a shell that redirects its output."""
    line = f'exec "$0" -W error -m hundredfold "$@" {redirection}'
    command = ["sh", "-c", line, sys.executable, *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )


@pytest.fixture
def folder(elsewhere: Path) -> Iterator[Path]:
    """Return a folder with a finished run called a."""
    done = _start(elsewhere, [*TRAIN, "--epochs", "1", "--name", "a"], "")
    assert done.communicate() and done.returncode == 0
    yield elsewhere


def test_a_verb_whose_output_is_closed_does_its_work(folder: Path) -> None:
    for number, verb in enumerate(VERBS):
        process = _start(folder, verb, (">&-", ">&- 2>&-")[number % 2])
        assert process.communicate()[1] == b"", verb
        assert process.returncode == 0, verb
    assert Run(folder / "runs" / "again").info["status"] == "done"


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_verb_whose_output_is_full_says_so_in_one_sentence(folder: Path) -> None:
    for verb in VERBS:
        process = _start(folder, verb, f"> {FULL}")
        _, error = process.communicate()
        assert process.returncode == 5, verb
        assert error.splitlines()[-1] == (
            b"error: the output cannot be written: No space left on device"
        ), verb
    assert Run(folder / "runs" / "again").info["status"] == "done"


@pytest.mark.parametrize("json", [False, True], ids=["stdout", "stderr"])
def test_a_reader_that_leaves_costs_no_training(elsewhere: Path, json: bool) -> None:
    """With --json progress goes to stderr, and its reader leaves."""
    arguments = [*TRAIN, "--epochs", "40", "--name", "left", *(["--json"] if json else [])]
    process = _start(elsewhere, arguments, "")
    stream = process.stderr if json else process.stdout
    assert stream is not None
    assert stream.readline().startswith(b"device")
    stream.close()
    other = process.stdout if json else process.stderr
    assert other is not None
    with other:
        other.read()
    assert process.wait(120) == 0
    made = Run(elsewhere / "runs" / "left")
    assert made.info["status"] == "done"
    assert len(made.curve) == 40
    lines = (made.folder / "log.txt").read_text().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("epoch")][-1] == "40/40"
    assert lines[-1].startswith("next"), "the log goes on to the end"


def test_what_a_run_writes_never_takes_the_number_of_a_closed_stdout(elsewhere: Path) -> None:
    """A file opened as descriptor 1 would get whatever a library prints there."""
    code = (
        "import os, sys; from hundredfold.cli._output import lasting_output\n"
        "with lasting_output():\n"
        "    opened = os.open('file', os.O_CREAT | os.O_WRONLY)\n"
        "    os.write(1, b'stray'); os.write(opened, b'own')\n"
    )
    subprocess.run(["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code], check=True,
                   cwd=elsewhere)  # fmt: skip
    assert (elsewhere / "file").read_bytes() == b"own"
