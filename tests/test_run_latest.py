"""`latest` is a convenience: where it cannot be made, the run is there and a warning says so."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from hundredfold import run
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe


def _names(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir())


@pytest.mark.parametrize("reason", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EROFS])
def test_a_disk_without_links_takes_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reason: int
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(reason, os.strerror(reason), str(self))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    for name in ("b", "a"):
        made = run.create(tmp_path, name, Recipe(), {"run.json": {"started": f"2026-01-0{2}"}})
        assert made.recipe == Recipe()
    assert _names(tmp_path) == ["a", "b"]
    assert os.strerror(reason) in caplog.text
    assert run.open_run("latest", tmp_path).name == "a"


def test_a_folder_called_latest_is_left_alone_and_is_not_the_newest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a copy that follows links: cp -rL, zip, rsync -L."""
    run.create(tmp_path / "runs", "one", Recipe())
    shutil.copytree(tmp_path / "runs", tmp_path / "copy")
    assert not (tmp_path / "copy" / "latest").is_symlink()
    assert run.open_run("latest", tmp_path / "copy").name == "one"
    made = run.create(tmp_path / "copy", "two", Recipe(seed=1))
    assert "latest cannot point to the run 'two'" in caplog.text
    assert _names(tmp_path / "copy") == ["latest", "one", "two"]
    assert run.open_run("latest", tmp_path / "copy").folder == made.folder
    assert [one.name for one in run.all_runs(tmp_path / "copy")] == ["one", "two"]


def test_a_run_that_cannot_be_made_durable_is_told_as_it_is_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = run._create.files.sync_folder

    def refuse(folder: Path) -> None:
        if folder == tmp_path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(folder)

    monkeypatch.setattr(run._create.files, "sync_folder", refuse)
    with pytest.raises(UsageError, match="cannot create the run") as caught:
        run.create(tmp_path, "one", Recipe())
    assert "Input/output error" in str(caught.value)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("name", [".new-x", ".hid", "ä" * 150])
def test_a_hidden_name_and_one_too_long_for_a_disk_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a name for a run"):
        run.create(tmp_path, name, Recipe())


def test_a_data_set_with_a_long_name_has_a_default_name(tmp_path: Path) -> None:
    name = run.default_name(Recipe(), "x" * 300)
    assert run.create(tmp_path, name, Recipe()).recipe == Recipe()


def test_a_link_to_a_run_elsewhere_is_refused_and_one_beside_it_is_not(tmp_path: Path) -> None:
    run.create(tmp_path / "elsewhere", "theirs", Recipe())
    run.create(tmp_path / "runs", "one", Recipe())
    (tmp_path / "runs" / "two").symlink_to("one")
    (tmp_path / "runs" / "linked").symlink_to("../elsewhere/theirs")
    (tmp_path / "runs" / "latest").unlink()
    (tmp_path / "runs" / "latest").symlink_to("../elsewhere/theirs")
    assert run.open_run("two", tmp_path / "runs").name == "one"
    for name in ("linked", "latest", str(tmp_path / "runs" / "linked")):
        with pytest.raises(UsageError, match="is a link to a run elsewhere"):
            run.open_run(name, tmp_path / "runs")
