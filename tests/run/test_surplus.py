"""What runs hold beyond need is listed, and freed without touching what lies elsewhere."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hundredfold import api, run
from hundredfold.api import housekeeping
from hundredfold.cli import main
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.run import Run, removal, surplus

MakeRun = Callable[..., Run]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def full(tmp_path: Path, make_run: MakeRun) -> Run:
    """Return a finished run with dead state, a killed command's file and equal weights."""
    made = make_run(tmp_path / "runs", Recipe(), name="one")
    for name in ("best", "last"):
        (made.folder / "weights" / f"{name}.safetensors").write_bytes(b"w" * 1000)
    (made.folder / "state" / "0000000004.safetensors").write_bytes(b"s" * 300)
    (made.folder / "state" / "0000000004.json").write_bytes(b"{}" * 50)
    (made.folder / ".run.json.abcd.part").write_bytes(b"p" * 7)
    return made


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_prune_lists_bytes_and_changes_nothing_without_yes(full: Run, capsys: Captured) -> None:
    before = _contents(full.folder.parent)
    assert main(["runs", "prune", "--out", str(full.folder.parent), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["bytes"], found["deleted"]) == (1000 + 300 + 100 + 7, False)
    assert _contents(full.folder.parent) == before


def test_prune_frees_what_it_said_and_both_weights_stay_readable(full: Run) -> None:
    before, said = full.bytes, housekeeping.prune(full.folder.parent).bytes
    assert housekeeping.prune(full.folder.parent, delete=True).bytes == said
    assert before - full.bytes == said
    assert full.best().samefile(full.last()) and full.last().read_bytes() == b"w" * 1000
    assert list((full.folder / "state").iterdir()) == []
    assert housekeeping.prune(full.folder.parent).runs == {}


def test_a_disk_without_hard_links_keeps_two_files(
    full: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    freed = housekeeping.prune(full.folder.parent, delete=True)
    assert surplus.EQUAL not in {each.kind for each in freed.runs["one"]}
    assert not full.best().samefile(full.last()) and full.last().is_file()
    assert not list((full.folder / "weights").glob(".*"))


@pytest.mark.parametrize("status", ["stopped", "failed"])
def test_a_run_that_can_be_resumed_keeps_its_state(full: Run, status: str) -> None:
    full.save_info(full.info | {"status": status})
    kinds = {each.kind for each in housekeeping.prune(full.folder.parent).runs["one"]}
    assert kinds == {surplus.TEMPORARY}


def test_a_run_that_is_being_written_is_passed_over(full: Run) -> None:
    before = _contents(full.folder)
    with full.writer():
        found = housekeeping.prune(full.folder.parent, delete=True)
        assert found.passed_over == {"one": "it is being written"} and not found.runs
        with pytest.raises(UsageError, match="being written"):
            removal.delete(full)
    assert {k: v for k, v in _contents(full.folder).items() if ".lock" not in k} == before


def test_the_loser_of_a_search_keeps_no_weights_and_the_winner_all(
    full: Run, make_run: MakeRun
) -> None:
    full.save_info(full.info | {"search": "lost"})
    winner = make_run(full.folder.parent, Recipe(seed=1), name="two")
    winner.best().write_bytes(b"w")
    winner.save_info(winner.info | {"search": "won"})
    housekeeping.prune(full.folder.parent, delete=True)
    assert not full.best().exists() and not full.last().exists() and winner.best().is_file()
    assert full.info["status"] == "done"


@pytest.mark.parametrize(
    "link", ["state/0000000005.json", "weights/last.safetensors", ".x.part", "state", "weights"]
)
def test_a_link_in_a_run_leads_nothing_outside_to_be_deleted(full: Run, link: str) -> None:
    outside = full.folder.parent.parent / "outside"
    outside.mkdir()
    (outside / "0000000001.json").write_text("mine")
    (outside / "last.safetensors").write_bytes(b"w" * 1000)
    path = full.folder / link
    if path.is_dir():
        for inner in path.iterdir():
            inner.unlink()
        path.rmdir()
    path.unlink(missing_ok=True)
    path.symlink_to(outside if "." not in link else outside / "last.safetensors")
    before = _contents(outside)
    found = housekeeping.prune(full.folder.parent, delete=True)
    assert "is a link" in found.passed_over["one"]
    assert _contents(outside) == before
    if link != "weights":
        api.Run(full.folder).remove()
        assert not full.folder.exists()
    assert _contents(outside) == before


def test_rm_deletes_the_run_that_latest_names_and_the_link(
    elsewhere: Path, make_run: MakeRun, capsys: Captured
) -> None:
    make_run(Path("runs"), Recipe(), name="one")
    make_run(Path("runs"), Recipe(seed=1), name="two")
    assert main(["runs", "rm", "latest", "--yes"]) == 0
    assert "deleted 1 run" in capsys.readouterr().out
    assert [path.name for path in Path("runs").iterdir()] == ["one"]


def test_rm_without_yes_needs_an_answer(
    elsewhere: Path, make_run: MakeRun, capsys: Captured
) -> None:
    make_run(Path("runs"), Recipe(), name="one")
    assert main(["runs", "rm", "one"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert Path("runs/one").is_dir()


@pytest.mark.parametrize("lacks", ["run.json", "recipe.toml", "weights"])
def test_rm_refuses_what_training_did_not_make(
    elsewhere: Path, make_run: MakeRun, capsys: Captured, lacks: str
) -> None:
    made = make_run(Path("runs"), Recipe(), name="one")
    make_run(Path("runs"), Recipe(seed=1), name="two")
    path = made.folder / lacks
    path.rename(elsewhere / "away")
    (made.folder / "thesis.txt").write_text("mine")
    assert main(["runs", "rm", "two", "one", "--yes"]) == 2
    assert (
        f"it has no f{'older' if lacks == 'weights' else 'ile'} {lacks}" in capsys.readouterr().err
    )
    assert (made.folder / "thesis.txt").is_file() and Path("runs/two").is_dir(), "all or none"


def test_rm_refuses_a_folder_of_runs_and_the_current_folder(
    elsewhere: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = make_run(elsewhere, Recipe(), name="outer")
    make_run(outer.folder, Recipe(), name="inner")
    with pytest.raises(UsageError, match="not a run that training made") as caught:
        removal.removable(str(outer.folder))
    assert caught.value.found == "it holds the run 'inner'"
    monkeypatch.chdir(outer.folder / "inner")
    with pytest.raises(UsageError, match="not a run that training made"):
        removal.removable(str(outer.folder / "inner"))


def test_equal_weights_are_one_file_at_the_end_of_training(small_run: Callable[..., Run]) -> None:
    trained = small_run(select="last")
    assert trained.best().samefile(trained.last())
    assert list((trained.folder / "state").iterdir()) == []
    assert "writer" not in trained.info
    twice = sum(p.stat().st_size for p in trained.folder.rglob("*") if p.is_file())
    assert trained.bytes == twice - trained.best().stat().st_size, "an inode is counted once"
    assert run.surplus.find(trained) == []
