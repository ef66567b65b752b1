"""Folders that travel: the same content gives the same digest, and nothing leaves the target."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from hundredfold.errors import DataError
from hundredfold.executors import shipping


def archive(*members: tarfile.TarInfo, content: bytes = b"x") -> list[bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    return [stream.getvalue()]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "cats").mkdir(parents=True)
    (root / "cats" / "a.bin").write_bytes(bytes(range(256)) * 300)
    (root / "empty.txt").touch()
    (root / ".lock").touch()
    (root / ".a.part").touch()
    return root


def test_a_folder_comes_back_without_locks_and_incomplete_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "PIECE", 1000)
    pieces = shipping.packed(folder)
    assert len(pieces) > 3
    shipping.unpack(pieces, tmp_path / "copy")
    found = {str(p.relative_to(tmp_path / "copy")) for p in (tmp_path / "copy").rglob("*.*")}
    assert found == {"cats/a.bin", "empty.txt"}
    assert (tmp_path / "copy" / "cats" / "a.bin").read_bytes() == bytes(range(256)) * 300


def test_a_digest_depends_on_content_and_names_only(folder: Path) -> None:
    def digest() -> str:
        return shipping.pack(folder, lambda _: None, name="photos", dated=False)

    first = digest()
    (folder / "cats" / "a.bin").touch()
    assert digest() == first
    (folder / "empty.txt").write_text("not any more", encoding="utf-8")
    assert digest() != first


def test_links_are_followed_and_one_that_leads_back_ends(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.txt").write_text("there", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "elsewhere.txt")
    (folder / "cats" / "back").symlink_to(folder)
    (folder / "gone.txt").symlink_to(tmp_path / "nothing")
    shipping.unpack(shipping.packed(folder), tmp_path / "copy")
    copy = tmp_path / "copy" / "link.txt"
    assert copy.read_text(encoding="utf-8") == "there"
    assert not copy.is_symlink()


@pytest.mark.parametrize(
    "wrong",
    [
        member("../out.txt"),
        member("a/../../out.txt"),
        member("/tmp/out.txt"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("hard", tarfile.LNKTYPE, "a.txt"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
        member("a.txt"),
    ],
    ids=lambda info: f"{info.name} {info.type.decode()}",
)
def test_a_member_that_is_no_file_below_the_folder_is_refused(
    tmp_path: Path, wrong: tarfile.TarInfo
) -> None:
    with pytest.raises(DataError, match="is not what was sent"):
        shipping.unpack(archive(member("a.txt"), wrong), tmp_path / "deep" / "copy")
    assert not (tmp_path / "out.txt").exists()
    assert not (tmp_path / "deep" / "out.txt").exists()


def test_a_truncated_archive_is_refused(folder: Path, tmp_path: Path) -> None:
    whole = b"".join(shipping.packed(folder))
    with pytest.raises(DataError):
        shipping.unpack([whole[: len(whole) // 2]], tmp_path / "copy")


def test_paths_of_another_machine_become_those_of_this_one(tmp_path: Path) -> None:
    info = {"data": {"folder": "/node/in/ab/photos"}, "name": "/node/in", "command": "t /node/w/r"}
    (tmp_path / "run.json").write_text(json.dumps(info), encoding="utf-8")
    shipping.relocate(tmp_path, {"/node/in/ab/photos": "/home/me/photos", "/node/w": "/home/runs"})
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == {
        "data": {"folder": "/home/me/photos"},
        "name": "/node/in",
        "command": "t /home/runs/r",
    }
