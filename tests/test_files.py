"""Files are replaced in one step or not at all."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from hundredfold import files
from hundredfold.errors import HundredfoldWarning


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    files.write(path, b"old")
    files.write(path, lambda file: file.writelines([b"n", b"ew"]))
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("problem", [OSError("no space left"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, problem: BaseException
) -> None:
    path = tmp_path / "a.bin"
    files.write(path, b"old")

    def half(file: BinaryIO) -> None:
        file.write(b"half of it")
        raise problem

    with pytest.raises(type(problem)):
        files.write(path, half)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_a_file_has_the_rights_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.write(tmp_path / "a.bin", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o666 & ~umask


def test_json_is_written_so_that_people_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"name": "Äpfel", "share": 0.1})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Äpfel", "share": 0.1}
    assert "Äpfel" in path.read_text(encoding="utf-8")


def test_json_that_no_other_program_reads_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_a_killed_writer_are_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(tmp_path / "kept.json", b"{}")
    (tmp_path / ".lock").touch()
    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", lambda *_args, **_options: None)
        with pytest.raises(ZeroDivisionError):
            files.write(tmp_path / "a.bin", lambda _file: 1 / 0)  # type: ignore[arg-type, return-value]
    assert len(list(tmp_path.iterdir())) == 3
    files.remove_temporary_files(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "kept.json"]


def test_a_folder_that_cannot_be_opened_needs_no_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY")  # as on Windows
    opened: list[Path] = []
    monkeypatch.setattr(os, "open", lambda path, _: opened.append(path))
    files.sync_folder(tmp_path)
    assert not opened


@pytest.fixture
def _warns_again() -> Iterator[None]:
    files._warn.cache_clear()
    yield
    files._warn.cache_clear()


def _failing(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.usefixtures("_warns_again")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_that_cannot_flush_is_warned_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", _failing(number))
    with pytest.warns(HundredfoldWarning, match="cannot flush") as caught:
        for text in ("old", "new"):
            files.write_text(tmp_path / "a", text)
    assert (tmp_path / "a").read_text() == "new"
    assert len(caught) == 1


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_flush_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    files.write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "fsync", _failing(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        files.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.usefixtures("_warns_again")
@pytest.mark.parametrize("number", [errno.EEXIST, errno.EPERM, errno.ENOSYS])
def test_a_disk_that_cannot_rename_gets_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "a"
    path.symlink_to(outside)
    monkeypatch.setattr(Path, "replace", _failing(number))
    with pytest.warns(HundredfoldWarning, match="cannot rename"):
        files.write_text(path, "old")
        files.write_text(path, "new")
        (tmp_path / "stage" / "weights").mkdir(parents=True)
        files.move(tmp_path / "stage", tmp_path / "out" / "run")
    assert path.read_text() == "new"
    assert outside.read_text() == "kept"
    assert sorted(p.name for p in path.parent.iterdir()) == ["a", "run"]
    assert (path.parent / "run" / "weights").is_dir()
    assert not (tmp_path / "stage").exists()


@pytest.mark.parametrize("number", [errno.EEXIST, errno.EXDEV])
def test_a_full_disk_that_cannot_rename_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    files.write_text(tmp_path / "a", "old")
    monkeypatch.setattr(Path, "replace", _failing(number))
    monkeypatch.setattr(shutil, "copyfileobj", _failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        files.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_from_another_disk_replaces_the_old_one_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "other").write_text("new")
    real = Path.replace

    def replace(source: Path, target: Path) -> Path:
        if source.name == "other":
            raise OSError(errno.EXDEV, "another disk")
        return real(source, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", _only(tmp_path / "other", Path.unlink))
    files._warn.cache_clear()
    with pytest.warns(HundredfoldWarning, match="cannot rename"):
        files.move(tmp_path / "other", tmp_path / "a")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "new")]


def _only(allowed: Path, unlink: Callable[..., None]) -> Callable[..., None]:
    """Return an `unlink` that removes one file only, and no file that is there."""

    def checked(path: Path, missing_ok: bool = False) -> None:
        assert path == allowed or not path.exists(), path
        unlink(path, missing_ok=missing_ok)

    return checked


def test_a_folder_is_not_moved_onto_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    with pytest.raises(OSError):
        files.move(tmp_path / "one", tmp_path / "two")
    assert [p.name for p in (tmp_path / "two").iterdir()] == ["two"]


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_files_follow_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        files.write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_name_that_is_not_utf8_is_read_back_from_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"Fr\xfcchte")
    files.write_json(tmp_path / "a.json", {name: name})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {name: name}


def test_a_temporary_folder_that_may_not_be_removed_ends_nothing(monkeypatch):
    def refuse(path, **_):
        raise PermissionError(1, "no", str(path))

    with files.temporary_folder() as folder:
        (folder / "inside").mkdir()
        monkeypatch.setattr(os, "rmdir", refuse)
    monkeypatch.undo()
    assert folder.exists()
    shutil.rmtree(folder)
