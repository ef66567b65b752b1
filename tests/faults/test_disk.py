"""A full disk and a folder that cannot be written: one sentence, and nothing is lost."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = ["--model", "densenet(depth=10, growth=4)", "--epochs", "5"]
LEFT = tuple(range(4_000, 64_000, 6_000))  # bytes left of a disk, of 65 kB for a save

Task = dict[str, Any]
CarryOut = Callable[[list[Task]], list[list[int]]]


def _one_sentence(said: str) -> bool:
    return said.count("error: ") == 1 and "Traceback" not in said and "internal" not in said


@pytest.mark.parametrize("foreseen", [True, False], ids=["foreseen", "unforeseen"])
def test_a_disk_that_fills_up_ends_the_run_in_one_sentence_and_it_goes_on_with_room(
    small_disk: Path,
    carry_out: CarryOut,
    task: Callable[..., Task],
    plain: list[str],
    differences: Callable[[Path, Path], list[str]],
    tally: Callable[[str, int, int, str], None],
    foreseen: bool,
    tenth: int,
) -> None:
    """Unforeseen, the check for room is passed, and the system refuses in the middle of a write."""
    whole = task("whole", [*plain, *SMALL])
    fill = [str(small_disk), LEFT[tenth], foreseen]
    filled = task("filled", [*plain, *SMALL], small_disk, save_every=1e9, fill=fill)
    codes = carry_out([whole, filled])
    said = Path(filled["said"]).read_text()
    assert codes == [[0], [5]], said
    assert _one_sentence(said)
    assert ("not enough room" in said) is foreseen
    (small_disk / "filler").unlink()
    assert carry_out([{"arguments": filled["resume"]}]) == [[0]]
    found = differences(Path(whole["run"]), Path(filled["run"]))
    word = "noticed before the save" if foreseen else "noticed by the write that fails"
    tally(f"full disk (tmpfs of 2 MB), {word}", 1, int(not found), "exit 5")


def test_a_disk_without_room_for_the_run_is_refused_before_anything_is_written(
    small_disk: Path, carry_out: CarryOut, task: Callable[..., Task], plain: list[str]
) -> None:
    refused = task("big", [*plain, "--model", "wrn(depth=10, width=4)"], small_disk)
    assert carry_out([refused]) == [[5]]
    assert "not enough room" in Path(refused["said"]).read_text()
    assert list(small_disk.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(
    small_disk: Path,
    tmp_path: Path,
    carry_out: CarryOut,
    task: Callable[..., Task],
    plain: list[str],
    tally: Callable[[str, int, int, str], None],
) -> None:
    """A read-only disk, for a new run and for one to resume; root may write anywhere else."""
    begun = task("begun", [*plain, *SMALL], small_disk, epochs=1, signal=15)
    assert carry_out([begun]) == [[143]]
    before = {p: p.read_bytes() for p in Path(begun["run"]).rglob("*") if p.is_file()}
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    new = task("new", [*plain, *SMALL], small_disk)
    again = {"arguments": begun["resume"], "said": str(tmp_path / "again.said")}
    codes = carry_out([new, again])
    assert codes == [[2], [2]]
    for one in (new, again):
        assert _one_sentence(Path(one["said"]).read_text())
    assert {p: p.read_bytes() for p in Path(begun["run"]).rglob("*") if p.is_file()} == before
    tally("read-only folder, new run and resumed run", 2, 2, "exit 2")
