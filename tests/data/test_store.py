import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hundredfold.data import _files, _store
from hundredfold.data._rows import Rows
from hundredfold.errors import DataError


def rows(seed: int = 0, count: int = 20) -> Rows:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 4, 4, 3), np.uint8)
    blocks = (pixels[start : start + 7] for start in range(0, count, 7))
    return Rows(np.arange(count) % 3, 4, blocks, tuple(f"{i}.png" for i in range(count)))


def never() -> Rows:
    raise AssertionError("decoded again")


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    split = _store.prepare(tmp_path, "toy/train", "a", rows).open()
    assert np.array_equal(split.pixels, np.concatenate(list(rows().blocks)))
    assert np.array_equal(split.labels, rows().labels)
    assert split.names == rows().names


def test_pixels_are_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    split = _store.prepare(tmp_path, "toy/train", "a", rows).open()
    assert isinstance(split.pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        split.pixels[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 0


def test_a_part_is_decoded_once(tmp_path: Path) -> None:
    first = _store.prepare(tmp_path, "toy/train", "a", rows)
    assert _store.prepare(tmp_path, "toy/train", "a", never) == first


def test_the_digest_tells_pixels_and_labels_apart(tmp_path: Path) -> None:
    def changed(pixel: int, label: int) -> Rows:
        pixels, labels = np.concatenate(list(rows().blocks)), rows().labels.copy()
        pixels[-1, -1, -1, -1] += pixel
        labels[-1] += label
        return Rows(labels, 4, [pixels], rows().names)

    digests = {
        _store.prepare(tmp_path, "toy", f"{p}{n}", lambda p=p, n=n: changed(p, n)).digest
        for p, n in ((0, 0), (1, 0), (0, 1))
    }
    assert len(digests) == 3
    assert _store.prepare(tmp_path, "toy", "same", rows).digest in digests


@pytest.mark.parametrize("damage", ["cut", "gone", "note", "overwritten", "labels"])
def test_a_damaged_part_is_decoded_again_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    part = _store.prepare(tmp_path, "toy", "a", rows)
    if damage in ("overwritten", "labels"):  # a part of the same size
        path = part.folder / ("pixels.npy" if damage == "overwritten" else "labels.npy")
        content = path.read_bytes()
        path.write_bytes(content[:128] + bytes(len(content) - 128))
    elif damage == "cut":
        with (part.folder / "pixels.npy").open("r+b") as stream:
            stream.truncate(200)
    elif damage == "gone":
        (part.folder / "labels.npy").unlink()
    else:
        (part.folder / "about.json").write_text("{")
    again = _store.prepare(tmp_path, "toy", "a", rows)
    assert again == part
    assert np.array_equal(again.open().labels, rows().labels)
    assert np.array_equal(again.open().pixels, np.concatenate(list(rows().blocks)))
    assert [str(part.folder) in record.getMessage() for record in caplog.records] == [True]


def test_several_may_prepare_the_same_part_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: _store.prepare(tmp_path, "toy", "a", rows), range(8)))
    assert len(set(parts)) == 1
    assert [f.name for f in (tmp_path / "data" / "toy").iterdir()] == [parts[0].folder.name]


def test_a_failure_while_decoding_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Rows:
        def blocks():
            yield np.zeros((2, 4, 4, 3), np.uint8)
            raise DataError("no")

        return Rows(np.zeros(4, np.int64), 4, blocks())

    with pytest.raises(DataError, match="no"):
        _store.prepare(tmp_path, "toy", "a", broken)
    assert list((tmp_path / "data" / "toy").iterdir()) == []


def test_old_versions_are_dropped_and_stay_readable_where_open(tmp_path: Path) -> None:
    first = _store.prepare(tmp_path, "toy", "first", rows).open()
    for number in range(_store.KEPT + 2):
        _store.prepare(tmp_path, "toy", f"{number}", lambda n=number: rows(n))
    assert len(list((tmp_path / "data" / "toy").iterdir())) == _store.KEPT
    assert np.array_equal(first.pixels, np.concatenate(list(rows().blocks)))


def test_a_cache_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(DataError, match="cannot write in the cache") as caught:
        _store.prepare(tmp_path / "cache", "toy", "a", rows)
    assert "HUNDREDFOLD_CACHE" in str(caught.value.remedy)


def test_a_fingerprint_follows_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    for content in (b"one", b"two"):
        file.write_bytes(content)
        for _ in range(2):
            assert _files.fingerprint(tmp_path, file) == hashlib.sha256(content).hexdigest()


def test_a_fingerprint_needs_no_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    file = tmp_path / "a.bin"
    file.write_bytes(b"one")
    sha256 = hashlib.sha256(b"one").hexdigest()
    assert _files.fingerprint(tmp_path / "cache", file) == sha256


def test_two_processes_may_prepare_the_same_data_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from hundredfold.data import Source, load;"
        "data = load('shapes(images=20)', Source(None, pathlib.Path(sys.argv[1]), True));"
        "print(data.digest, len(data.parts['train']()))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert told[0] == told[1] and told[0].split()[1] == "2000"
