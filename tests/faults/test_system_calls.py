"""A save that ends at any of its system calls, by kill -9 or by an error (strace)."""

import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SAVE = 3  # of four, with a save before it to keep, one to remove, and a new best
# what must work for a save to be one; an error of another call need not be noticed
NEEDED = ("openat", "write", "fsync", "rename", "unlink")

Task = dict[str, Any]
CarryOut = Callable[[list[Task]], list[list[int]]]
pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace")


def _calls(log: Path) -> list[tuple[str, int]]:
    """Return the system calls of a watched save in order, each with its number among its kind."""
    lines = log.read_text().splitlines()
    names = [found[0] for line in lines if (found := re.findall(r"^(\w+)\(", line))]
    end = names.index("getpgid")
    numbered = [(name, names[: place + 1].count(name)) for place, name in enumerate(names)]
    return [call for call in numbered[:end] if call != ("read", 1)]  # that is the wait for strace


@pytest.fixture
def whole(
    tmp_path: Path, carry_out: CarryOut, task: Callable[..., Task], rich: list[str]
) -> tuple[Path, list[tuple[str, int]]]:
    """Return a run that nothing happened to, and the system calls of its third save."""
    log = tmp_path / "whole.strace"
    watched = task("whole", rich, save_every=1e9, save=SAVE, inject="", log=str(log))
    assert carry_out([watched]) == [[0]]
    return Path(watched["run"]), _calls(log)


@pytest.fixture
def broken(
    tmp_path: Path, carry_out: CarryOut, task: Callable[..., Task], rich: list[str]
) -> Callable[[list[tuple[str, int]], str], Iterator[tuple[Task, list[int]]]]:
    """Return a function that breaks a run at each call, resumes it, and yields its exit codes."""

    def carry(calls: list[tuple[str, int]], fault: str) -> Iterator[tuple[Task, list[int]]]:
        tasks = []
        for name, number in calls:
            inject = f"{name}:{fault}:when={number}"
            log = str(tmp_path / f"{name}-{number}.strace")
            first = task(f"{name}-{number}", rich, save_every=1e9, inject=inject, log=log)
            tasks += [first | {"save": SAVE}, first | {"arguments": first["resume"]}]
        codes = [each[0] for each in carry_out(tasks)]
        pairs = zip(codes[::2], codes[1::2], strict=True)
        yield from zip(tasks[::2], map(list, pairs), strict=True)

    return carry


def test_a_kill_at_each_system_call_of_a_save_loses_nothing(
    whole: tuple[Path, list[tuple[str, int]]],
    broken: Callable[..., Iterator[tuple[Task, list[int]]]],
    differences: Callable[[Path, Path], list[str]],
    tally: Callable[[str, int, int, str], None],
    tenth: int,
) -> None:
    run, calls = whole
    chosen = calls[tenth::10]
    bad = {}
    for task, codes in broken(chosen, "signal=KILL"):
        found = differences(run, Path(task["run"])) if codes[1] == 0 else [task["said"]]
        if codes[0] != -signal.SIGKILL or found:
            bad[task["inject"]] = (codes, found)
    assert not bad
    words = f"{len(calls)} system calls in a save"
    tally("kill -9 at each system call of a save", len(chosen), len(chosen), words)


def test_an_error_of_each_system_call_of_a_save_is_one_sentence_and_loses_nothing(
    whole: tuple[Path, list[tuple[str, int]]],
    broken: Callable[..., Iterator[tuple[Task, list[int]]]],
    differences: Callable[[Path, Path], list[str]],
    tally: Callable[[str, int, int, str], None],
    tenth: int,
) -> None:
    """A file of the former best that cannot be read is written again, and nothing is said."""
    run, calls = whole
    error = ("EIO", "ENOSPC")[tenth % 2]
    chosen = [call for call in calls if call[0] in NEEDED][tenth::10]
    bad, ended = {}, 0
    for task, codes in broken(chosen, f"error={error}"):
        said = Path(task["said"]).read_text().partition("resumed")[0]
        told = said.count("error: ") == 1 and "Traceback" not in said and "internal" not in said
        found = differences(run, Path(task["run"]))
        ended += codes[0] == 5
        if found or not ((codes == [5, 0] and told) or codes[0] == 0):
            bad[task["inject"]] = (codes, found, said[-300:])
    assert not bad
    assert ended
    words = f"{ended} of {len(chosen)} ended the run with exit 5"
    tally("EIO or ENOSPC injected into a save: one sentence", len(chosen), len(chosen), words)
