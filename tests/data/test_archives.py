"""An archive is the folder that was packed, and a hostile one does no harm."""

import io
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hundredfold import data
from hundredfold.data import load
from hundredfold.errors import DataError
from tests.data.source_files import TEXT, Photos, at, tarred, zipped


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar", "photos.tar.gz", "photos.tgz"])
@pytest.mark.parametrize("counts", [{"a": 3, "b": 4}, {"train/a": 3, "train/b": 3, "test/b": 2}])
def test_an_archive_is_the_folder_that_was_packed(
    photos: Photos, tmp_path: Path, name: str, counts: dict[str, int]
) -> None:
    root = photos(counts)
    pack = zipped if name.endswith("zip") else tarred
    archive = pack(root, tmp_path / name)
    before = archive.read_bytes()
    packed = load(TEXT, at(archive, tmp_path, "other"))
    plain = load(TEXT, at(root, tmp_path))
    assert packed.digest == plain.digest
    assert (packed.name, packed.classes) == ("photos", plain.classes)
    for part, opened in plain.parts.items():
        ours, theirs = packed.parts[part](), opened()
        assert np.array_equal(ours.pixels, theirs.pixels)
        assert ours.names == theirs.names
    assert archive.read_bytes() == before


def test_nothing_is_left_beside_an_archive_or_in_the_cache(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    (tmp_path / "packed").mkdir()
    archive = tarred(root, tmp_path / "packed" / "x.tar.gz")
    load(TEXT, at(archive, tmp_path))
    assert [f.name for f in (tmp_path / "packed").iterdir()] == ["x.tar.gz"]
    held = {f.suffix for f in (tmp_path / "cache").rglob("*") if f.is_file()}
    assert ".png" not in held and ".tar" not in held


def test_a_class_at_the_top_of_an_archive_is_not_stepped_into(
    photos: Photos, tmp_path: Path
) -> None:
    archive = zipped(photos({"a": 3}), tmp_path / "x.zip", "")
    with pytest.raises(DataError, match="only one class"):
        load(TEXT, at(archive, tmp_path))


def test_links_in_a_tar_stand_for_their_files(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2})
    (root / "a" / "9.png").symlink_to("0.png")
    split = load(TEXT, at(tarred(root, tmp_path / "x.tar"), tmp_path)).parts["train"]()
    assert split.names[2] == "a/9.png"
    assert np.array_equal(split.pixels[2], split.pixels[0])


def _entry(name: str, content: bytes = b"x", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for key, value in facts.items():
        setattr(entry, key, value)
    return entry, content


@pytest.mark.parametrize(
    "entry",
    [
        _entry("../../evil.png"),
        _entry("/etc/evil.png"),
        _entry("a/x.png", b"", type=tarfile.SYMTYPE, linkname="../../../etc/passwd"),
        _entry("a/x.png", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        _entry("a/x.png", b"", type=tarfile.SYMTYPE, linkname="x.png"),
    ],
)
def test_a_name_that_leads_out_of_an_archive_is_refused(tmp_path: Path, entry) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(entry[0], io.BytesIO(entry[1]))
    with pytest.raises(DataError, match=r"x\.tar") as caught:
        load(TEXT, at(tmp_path / "x.tar", tmp_path))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz"])
def test_an_archive_that_expands_too_much_is_refused_before_it_fills_anything(
    tmp_path: Path, name: str
) -> None:
    zeros = bytes(60 * 2**20)
    if name.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/0.bmp", zeros)
            archive.writestr("b/0.bmp", zeros)
    else:
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            for where in ("a/0.bmp", "b/0.bmp"):
                archive.addfile(_sized(where, len(zeros)), io.BytesIO(zeros))
    with pytest.raises(DataError, match="would expand to") as caught:
        load(TEXT, at(tmp_path / name, tmp_path))
    assert caught.value.exit_code == 3
    assert sum(f.stat().st_size for f in (tmp_path / "cache").rglob("*")) < 2**20


def _sized(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


def test_a_zip_whose_directory_lies_about_sizes_costs_one_file(
    photos: Photos, tmp_path: Path
) -> None:
    archive = zipped(photos({"a": 3, "b": 3}), tmp_path / "x.zip")
    content = bytearray(archive.read_bytes())
    at_directory = content.rindex(b"PK\x01\x02")
    content[at_directory + 24 : at_directory + 28] = (2**20).to_bytes(4, "little")
    archive.write_bytes(content)
    dataset = load(TEXT, at(archive, tmp_path))
    assert len(dataset.parts["train"]()) in (5, 6)


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_truncated_archive_is_one_sentence(photos: Photos, tmp_path: Path, name: str) -> None:
    pack = zipped if name.endswith("zip") else tarred
    archive = pack(photos({"a": 3, "b": 3}), tmp_path / name)
    content = archive.read_bytes()
    for length in (0, 10, len(content) // 2):
        archive.write_bytes(content[:length])
        with pytest.raises(DataError) as caught:
            load(TEXT, at(archive, tmp_path))
        assert "\n" not in caught.value.message


def test_a_damaged_member_is_left_out_and_named(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    (root / "a" / "1.png").write_bytes(b"no image")
    dataset = load(TEXT, at(zipped(root, tmp_path / "x.zip"), tmp_path))
    assert any("a/1.png (it is not a JPEG" in note for note in dataset.notes)
    assert len(dataset.parts["train"]()) == 5


def test_an_encrypted_zip_is_named(photos: Photos, tmp_path: Path) -> None:
    archive = zipped(photos({"a": 2, "b": 2}), tmp_path / "x.zip")
    content = archive.read_bytes()
    start = content.index(b"PK\x01\x02")
    archive.write_bytes(content[: start + 8] + b"\x01" + content[start + 9 :])
    with pytest.raises(DataError, match="is encrypted"):
        load(TEXT, at(archive, tmp_path))


def test_several_threads_read_one_archive(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 40, "b": 40})
    for name, pack in (("x.zip", zipped), ("x.tar.gz", tarred)):
        listing = data.listing_of({}, at(pack(root, tmp_path / name), tmp_path))
        files = [file for some in listing.read("train").values() for file in some]
        read: dict[int, bytes] = {}

        def work(k: int, files=files, read=read) -> None:
            read[k] = files[k].read(10**6)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(len(files))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for k, file in enumerate(files):
            assert read[k] == (root / Path(*file.parts[-2:])).read_bytes()
