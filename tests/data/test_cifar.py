import gzip
import io
import pickle
import tarfile
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from hundredfold.data import Source, load, training
from hundredfold.data._pickle import read_python
from hundredfold.errors import DataError, HundredfoldWarning


def batch(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 3072), np.uint8), np.arange(count) % classes


def binary(pixels: np.ndarray, labels: np.ndarray, extra: bool) -> bytes:
    columns = [np.zeros_like(labels)] * extra + [labels]
    return np.column_stack([*(c.astype(np.uint8) for c in columns), pixels]).tobytes()


def python2(pixels: np.ndarray, labels: np.ndarray, key: str) -> bytes:
    content = {b"data": pixels, key.encode(): [int(label) for label in labels]}
    return pickle.dumps(content, protocol=2)


def cifar100_files(seed: int = 0) -> dict[str, bytes]:
    """Return all files of a small CIFAR-100 by their path."""
    files = {}
    for name, count, offset in (("train", 200, 0), ("test", 100, 1)):
        pixels, labels = batch(count, 100, 10 * seed + offset)
        files[f"cifar-100-binary/{name}.bin"] = binary(pixels, labels, extra=True)
        files[f"cifar-100-python/{name}"] = python2(pixels, labels, "fine_labels")
    return files


def write(root: Path, files: dict[str, bytes], form: str) -> Path:
    for name, data in files.items():
        if name.startswith(form):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
    return root


def archive(file: Path, files: dict[str, bytes], form: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:gz") as tar:
        for name, data in files.items():
            if name.startswith(form):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return file


def at(folder: Path, cache: Path) -> Source:
    return Source(folder=folder, cache=cache, offline=True)


def test_all_formats_hold_the_same_images(tmp_path: Path) -> None:
    files = cifar100_files()
    folders = [
        write(tmp_path / "a", files, "cifar-100-binary"),
        write(tmp_path / "b", files, "cifar-100-binary") / "cifar-100-binary",
        write(tmp_path / "c", files, "cifar-100-python"),
        archive(tmp_path / "d" / "cifar-100-binary.tar.gz", files, "cifar-100-binary").parent,
        archive(tmp_path / "e" / "cifar-100-python.tar.gz", files, "cifar-100-python"),
    ]
    expected, labels = batch(200, 100, 0)
    expected = expected.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    digests = set()
    for number, folder in enumerate(folders):
        data = load("cifar100", at(folder, tmp_path / f"cache{number}"))
        train, test = data.parts["train"](), data.parts["test"]()
        assert np.array_equal(train.pixels, expected)
        assert np.array_equal(train.labels, labels)
        assert len(test) == 100
        digests.add(data.digest)
    assert len(digests) == 1


@pytest.mark.parametrize("kind", ["bin", "py"])
def test_cifar10_reads_five_batches_in_order(tmp_path: Path, kind: str) -> None:
    root = tmp_path / f"cifar-10-batches-{kind}"
    root.mkdir()
    batches = [batch(20, 10, seed) for seed in range(6)]
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for name, (pixels, labels) in zip(names, batches, strict=True):
        if kind == "bin":
            (root / f"{name}.bin").write_bytes(binary(pixels, labels, extra=False))
        else:
            (root / name).write_bytes(python2(pixels, labels, "labels"))
    data = load("cifar10", at(tmp_path, tmp_path / "cache"))
    train = data.parts["train"]()
    planes = train.pixels.transpose(0, 3, 1, 2).reshape(-1, 3072)
    assert np.array_equal(planes, np.concatenate([pixels for pixels, _ in batches[:5]]))
    assert len(data.parts["test"]()) == 20
    assert data.superclasses == ()


def test_a_poisoned_test_part_changes_nothing_in_training(tmp_path: Path) -> None:
    files = cifar100_files()
    clean = write(tmp_path / "clean", files, "cifar-100-binary")
    for number, poison in enumerate(
        (None, b"poison", cifar100_files(9)["cifar-100-binary/test.bin"])
    ):
        folder = write(tmp_path / f"p{number}", files, "cifar-100-binary/train.bin")
        if poison is not None:
            (folder / "cifar-100-binary" / "test.bin").write_bytes(poison)
        one = load("cifar100", at(clean, tmp_path / "cache"))
        two = load("cifar100", at(folder, tmp_path / f"other{number}"))
        assert one.digest == two.digest
        for a, b in zip(training(one), training(two), strict=True):
            assert np.array_equal(a.pixels[a.indices], b.pixels[b.indices])
            assert np.array_equal(a.labels, b.labels)
        assert not (tmp_path / f"other{number}" / "data" / "cifar100" / "test").exists()


def test_a_missing_test_file_is_named_when_it_is_opened(tmp_path: Path) -> None:
    folder = write(tmp_path, cifar100_files(), "cifar-100-binary/train.bin")
    with pytest.raises(DataError, match=r"test\.bin is missing"):
        load("cifar100", at(folder, tmp_path / "cache")).parts["test"]()


def test_other_images_are_accepted_aloud_and_told_apart(
    tmp_path: Path,
) -> None:
    digests = set()
    for seed in range(2):
        folder = write(tmp_path / str(seed), cifar100_files(seed), "cifar-100-binary")
        with pytest.warns(HundredfoldWarning, match="the train images in .* not the official ones"):
            digests.add(load("cifar100", at(folder, tmp_path / "cache")).digest)
    assert len(digests) == 2


def test_other_images_are_refused_where_they_were_downloaded(tmp_path: Path) -> None:
    archive(
        tmp_path / "cache" / "downloads" / "cifar-100-binary.tar.gz",
        cifar100_files(),
        "cifar-100-b",
    )
    with pytest.raises(DataError, match="not the official ones"):
        load("cifar100", Source(folder=None, cache=tmp_path / "cache", offline=True))


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    folder = write(tmp_path, cifar100_files(), "cifar-100-binary")
    before = load("cifar100", at(folder, tmp_path / "cache")).digest
    file = folder / "cifar-100-binary" / "train.bin"
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    file.write_bytes(data)
    assert load("cifar100", at(folder, tmp_path / "cache")).digest != before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "whole number of images"),
        (b"x" * 3073, "whole number of images"),
        (b"\xff" * 3074, "label 255"),
    ],
)
def test_a_binary_file_of_another_structure_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "train.bin").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        load("cifar100", at(tmp_path, tmp_path / "cache"))
    assert str(tmp_path) in caught.value.message


def test_nothing_there_and_no_network_is_one_sentence(tmp_path: Path, source: Source) -> None:
    with pytest.raises(DataError, match="HUNDREDFOLD_OFFLINE") as caught:
        load("cifar100", source)
    assert "--data-dir" in str(caught.value.remedy)
    with pytest.raises(DataError, match="no folder"):
        load("cifar100", at(tmp_path / "nowhere", tmp_path / "cache"))


@pytest.mark.parametrize("kind", ["truncated", "flipped", "page", "empty", "no file"])
def test_a_bad_archive_is_named_with_a_remedy(tmp_path: Path, kind: str) -> None:
    form = "cifar-100-binary" if kind != "no file" else "cifar-100-binary/test"
    file = archive(tmp_path / "cifar-100-binary.tar.gz", cifar100_files(), form)
    data = bytearray(file.read_bytes())
    if kind == "truncated":  # so late that both files are whole
        del data[-6:]
    elif kind == "flipped":
        data[-6] ^= 255  # in the checksum
    elif kind == "page":
        data = bytearray(b"\n<!DOCTYPE html><title>Not found</title>")
    elif kind == "empty":
        data = bytearray()
    file.write_bytes(data)
    with pytest.raises(DataError, match="web page" if kind == "page" else "damaged") as caught:
        load("cifar100", at(tmp_path, tmp_path / "cache"))
    assert str(file) in caught.value.message
    assert caught.value.remedy


def test_a_crafted_archive_writes_nothing_and_follows_no_link(tmp_path: Path) -> None:
    file, secret = tmp_path / "in" / "cifar-100-binary.tar.gz", tmp_path / "secret"
    file.parent.mkdir()
    secret.write_bytes(cifar100_files()["cifar-100-binary/train.bin"])
    with tarfile.open(file, "w:gz") as tar:
        for name, kind in (("cifar-100-binary/train.bin", tarfile.SYMTYPE), ("../evil", b"0")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, str(secret)
            tar.addfile(entry)
    with pytest.raises(DataError, match="damaged"):
        load("cifar100", at(file.parent, tmp_path / "cache"))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["cache", "in", "secret"]


def test_an_archive_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hundredfold.data._archive.LIMIT", 10**6)
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(gzip.compress(bytes(10**7)))
    with pytest.raises(DataError, match="damaged") as caught:
        load("cifar100", at(tmp_path, tmp_path / "cache"))
    assert "more than any archive" in str(caught.value.found)


def test_an_archive_that_unpacks_to_far_more_than_it_is_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(gzip.compress(bytes(10**7)))
    with pytest.raises(DataError, match="damaged") as caught:
        load("cifar100", at(tmp_path, tmp_path / "cache"))
    assert "more than any archive" in str(caught.value.found)


def test_an_archive_of_countless_members_is_refused(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    with tarfile.open(tmp_path / "cifar-100-binary.tar.gz", "w:gz") as tar:
        for number in range(1001):
            entry = tarfile.TarInfo(f"cifar-100-binary/{number}")
            entry.size = 512
            tar.addfile(entry, io.BytesIO(chance.bytes(512)))
    with pytest.raises(DataError, match="damaged") as caught:
        load("cifar100", at(tmp_path, tmp_path / "cache"))
    assert "more members" in str(caught.value.found)


@pytest.mark.parametrize(
    "kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_a_member_that_is_no_regular_file_is_no_image(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "cifar-100-binary.tar.gz", "w:gz") as tar:
        for name in ("train", "test"):
            entry = tarfile.TarInfo(f"cifar-100-binary/{name}.bin")
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry)
    with pytest.raises(DataError, match="damaged") as caught:
        load("cifar100", at(tmp_path, tmp_path / "cache"))
    assert "no file cifar-100-binary/train.bin in it" in str(caught.value.found)


class Evil:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("evil"),))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_of_any_age_is_read(protocol: int) -> None:
    pixels, labels = batch(10, 10, 0)
    data = pickle.dumps({"data": pixels, "labels": labels.tolist()}, protocol=protocol)
    found_labels, found = read_python(data, labels="labels")
    assert np.array_equal(found, pixels)
    assert np.array_equal(found_labels, labels)


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Evil()),
        pickle.dumps({"data": np.zeros((2, 3072)), "labels": [0, 1]}),
        pickle.dumps({"data": np.array([print, "x"], object), "labels": [0, 1]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, [1]]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1.5]}),
        pickle.dumps({"data": [0], "labels": [0]}),
        pickle.dumps([1, 2]),
        b"\x80\x04r\xff\xff\xff\x7f.",
        b"",
        b"<html>",
    ],
)
def test_a_strange_pickle_runs_nothing(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="cannot read it as a pickled batch"):
        read_python(data, labels="labels")
    assert list(tmp_path.iterdir()) == []


TWINS = b"".join(
    b"%bq%c%b" % (b"" if k else b"K\x01", k, b"h%ch%c\x86" % (k, k)) for k in range(60)
)
LONG = b"X" + (1 << 20).to_bytes(4, "little") + b"a" * (1 << 20)
ENCODE = b"c_codecs\nencode\nq\x00%bU\x06latin1\x86q\x01" % LONG


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cnumpy\ndtype\n" + TWINS + b"\x85R.",  # text of 2 ** 60 words
        b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(C\x00N" + TWINS + b"NtR.",
        b"\x80\x02" + ENCODE + b"h\x00h\x01R" * 2000 + b".",  # two gigabytes, encoded
        pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [1 << 70]}),
    ],
    ids=["dtype", "shape", "encode", "label"],
)
def test_a_hostile_pickle_takes_neither_time_nor_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="cannot read it as a pickled batch") as caught:
            read_python(data, labels="labels")
        assert tracemalloc.get_traced_memory()[1] < 250e6
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 300


@pytest.mark.real_data
def test_the_real_cifar100_is_as_published(real_cifar100: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load("cifar100", at(real_cifar100, tmp_path / "cache"))
        train, test = data.parts["train"](), data.parts["test"]()
    assert (train.pixels.shape, test.pixels.shape) == ((50000, 32, 32, 3), (10000, 32, 32, 3))
    assert set(np.bincount(train.labels)) == {500} and set(np.bincount(test.labels)) == {100}
    folder = real_cifar100 / "cifar-100-binary"
    for split, name in ((train, "train.bin"), (test, "test.bin")):
        rows = np.fromfile(folder / name, np.uint8).reshape(-1, 3074)
        assert np.array_equal(np.array(data.superclass_of)[split.labels], rows[:, 0])
        assert np.array_equal(split.pixels[7, :, :, 2].ravel(), rows[7, 2 + 2048 :])
    assert list(data.classes) == (folder / "fine_label_names.txt").read_text().split()
    assert list(data.superclasses) == (folder / "coarse_label_names.txt").read_text().split()


@pytest.mark.real_data
def test_cached_cifar100_loads_at_once(real_cifar100: Path, tmp_path: Path) -> None:
    import time

    load("cifar100", at(real_cifar100, tmp_path / "cache"))
    began = time.perf_counter()
    training(load("cifar100", at(real_cifar100, tmp_path / "cache")))
    assert time.perf_counter() - began < 0.3
