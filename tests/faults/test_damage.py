"""Damaged states: the one before is used, out loud, and the run still ends the same."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hundredfold import run

STATES = 10  # of each tenth

Task = dict[str, Any]
CarryOut = Callable[[list[Task]], list[list[int]]]


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x40]) + content[place + 1 :]


def _cut(content: bytes, place: int) -> bytes:
    return content[:place]


def _zeroed(content: bytes, place: int) -> bytes:
    """Zero a block of 64 bytes, as a disk that lost a write leaves it; one byte at least turns."""
    rest = content[place + 64 :]
    return content[:place] + bytes(len(content[place : place + 64])) + rest


DAMAGES = (_flipped, _cut, _zeroed)


def _damaged(state: Path, chance: random.Random) -> str:
    """Damage one file of the newest save, and return which and how."""
    commit = max(state.glob("[0-9]*.json"))
    newest = [commit, commit.with_suffix(".safetensors")]
    best = state / json.loads(commit.read_text())["best"]["file"]  # a newer one may have no commit
    file, damage = chance.choice([*newest, best]), chance.choice(DAMAGES)
    before = content = file.read_bytes()
    while content == before:
        content = damage(before, chance.randrange(len(before)))
    file.write_bytes(content)
    return f"{file.name} {damage.__name__}"


@pytest.fixture
def stopped(
    carry_out: CarryOut, task: Callable[..., Task], rich: list[str]
) -> tuple[Path, Path, Task]:
    """Return a whole run, and one that was killed after its third epoch, with two saves.

    With a third where the kill came between a save and the removal of the oldest.
    """
    whole = task("whole", rich)
    killed = task("killed", rich, save_every=1e9, signal=9, epochs=3, after=0.0)
    codes = carry_out([whole, killed])
    assert codes[0] == [0]
    assert len(list((Path(killed["run"]) / "state").glob("[0-9]*.json"))) in (2, 3)
    return Path(whole["run"]), Path(killed["run"]), killed


def test_the_save_before_a_damaged_one_is_used_and_reported_and_the_run_ends_the_same(
    stopped: tuple[Path, Path, Task],
    carry_out: CarryOut,
    task: Callable[..., Task],
    rich: list[str],
    differences: Callable[[Path, Path], list[str]],
    tally: Callable[[str, int, int, str], None],
    tenth: int,
) -> None:
    whole, killed, _ = stopped
    chance, tasks, how = random.Random(tenth), [], []
    for number in range(STATES):
        one = task(f"damaged-{number}", rich)
        shutil.copytree(killed, one["run"])
        how.append(_damaged(Path(one["run"]) / "state", chance))
        tasks.append(one | {"arguments": one["resume"]})
    codes = carry_out(tasks)
    bad = {}
    for number, one in enumerate(tasks):
        aloud = "is damaged" in Path(one["said"]).read_text()
        found = differences(whole, Path(one["run"])) if codes[number] == [0] else codes[number]
        if found or not aloud:
            bad[how[number]] = (found, aloud)
    assert not bad
    tally("a damaged newest state: the one before is used, aloud", STATES, STATES - len(bad), "")


def test_a_curve_that_was_damaged_or_lost_comes_back_from_the_state(
    stopped: tuple[Path, Path, Task],
    carry_out: CarryOut,
    differences: Callable[[Path, Path], list[str]],
) -> None:
    whole, killed, task = stopped
    before = run.Run(killed).curve
    (killed / "curve.jsonl").write_bytes(b"\0" * 10)
    assert carry_out([{"arguments": task["resume"]}]) == [[0]]
    assert differences(whole, killed) == []
    assert run.Run(killed).curve[:2] == before[:2]


def test_where_every_save_is_damaged_nothing_is_trained(
    stopped: tuple[Path, Path, Task], carry_out: CarryOut
) -> None:
    _, killed, task = stopped
    saves = len(list((killed / "state").glob("0*.json")))
    for path in (killed / "state").glob("0*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    curve = (killed / "curve.jsonl").read_bytes()
    assert carry_out([{"arguments": task["resume"], "said": task["said"]}]) == [[5]]
    said = Path(task["said"]).read_text()
    assert said.count("trying the one before") == saves
    assert "every saved state" in said
    assert (killed / "curve.jsonl").read_bytes() == curve
