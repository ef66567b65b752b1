"""Files are replaced in one step or not at all."""

import json
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from hundredfold import files


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
