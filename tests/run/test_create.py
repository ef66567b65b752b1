"""Names of runs, and what a new run leaves alone."""

import os
import time
from pathlib import Path

import pytest

from hundredfold import run
from hundredfold.recipe import Recipe


def test_a_run_called_like_a_temporary_folder_is_never_deleted(tmp_path: Path) -> None:
    """Such names are refused today; an older version made them."""
    run.create(tmp_path, "x", Recipe()).folder.rename(tmp_path / ".new-x")
    (tmp_path / ".new-notes").mkdir()
    (tmp_path / ".new-notes" / "mine.txt").write_text("mine")
    (tmp_path / ".new-left" / "run").mkdir(parents=True)
    long_ago = time.time() - 7200
    for name in (".new-x", ".new-notes", ".new-left"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    run.create(tmp_path, "one", Recipe())
    assert (tmp_path / ".new-x" / "recipe.toml").is_file()
    assert (tmp_path / ".new-notes" / "mine.txt").is_file()
    assert not (tmp_path / ".new-left").exists()


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_all_of_a_run_has_the_rights_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = run.create(tmp_path / "runs", "one", Recipe(), {"run.json": {"status": "running"}})
        with made.writer():
            made.save_info(made.info | {"status": "done"})
    finally:
        os.umask(before)
    for path in [tmp_path / "runs", *(tmp_path / "runs").rglob("*")]:
        if not path.is_symlink():
            every = 0o777 if path.is_dir() else 0o666
            assert path.stat().st_mode & 0o777 == every & ~umask, path


def test_a_file_called_latest_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "latest").write_text("mine")
    run.create(tmp_path, "one", Recipe())
    assert (tmp_path / "latest").read_text() == "mine"
    assert "cannot point to the run 'one'" in caplog.text


def test_a_default_name_is_one_whatever_model_and_data_are_called(tmp_path: Path) -> None:
    for data in ("x" * 300, "ä" * 300, ".hidden", "...", "a/b\\c", ""):
        name = run.default_name(Recipe(), data)
        assert run.create(tmp_path, name, Recipe()).folder.name == name
        run.remove(run.Run(tmp_path / name))


def test_a_link_that_leads_nowhere_takes_a_name(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(run._create.UsageError, match="never overwritten"):
        run.create(tmp_path, "one", Recipe())
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_with_a_record_and_no_recipe_is_a_damaged_run(tmp_path: Path) -> None:
    made = run.create(tmp_path, "one", Recipe(), {"run.json": {"status": "done"}})
    (made.folder / "recipe.toml").unlink()
    assert [one.name for one in run.all_runs(tmp_path)] == ["one"]
