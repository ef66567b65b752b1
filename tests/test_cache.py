"""The store: what was written is what is read, damage counts as none, reading writes nothing."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hundredfold import cache
from hundredfold.cache import CacheError, Entry, Store
from hundredfold.errors import UsageError

VALUES = [0, "", [], {}, False, 0.1, [1, [2.5, None]], {"a": {"b": [True]}}]


def store(root: Path, **options: Any) -> Store:
    return Store(root, "kind", **{"version": 1, "keep": 3} | options)


def fill(folder: Path) -> dict[str, int]:
    (folder / "a.bin").write_bytes(bytes(range(256)))
    (folder / "b.txt").write_text("text")
    return {"fact": 1}


def never(_folder: Path) -> None:
    pytest.fail("made again")


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "kind").iterdir())


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back(tmp_path: Path, value: Any) -> None:
    store(tmp_path).save("k", value)
    assert store(tmp_path).load("k") == value
    assert store(tmp_path).load("other") is None


def test_keys_differ_where_a_fact_or_the_version_does() -> None:
    one = store(Path())
    facts = [(), (1,), (1, 2), ([1, 2],), ("1",), ({"a": 1, "b": 2},), ({"a": 1, "b": 3},)]
    keys = [one.key(*some) for some in facts] + [store(Path(), version=2).key()]
    assert len(set(keys)) == len(keys)
    assert one.key({"b": 2, "a": 1}) == one.key({"a": 1, "b": 2})


def test_a_value_with_any_byte_changed_is_none_or_the_value(tmp_path: Path) -> None:
    one = store(tmp_path)
    one.save("k", {"ratio": 1.5})
    (file,) = (tmp_path / "kind").iterdir()
    content = file.read_bytes()
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert one.load("k") in (None, {"ratio": 1.5})
        file.write_bytes(content[:place])
        assert one.load("k") in (None, {"ratio": 1.5})


def test_a_folder_comes_back_with_its_facts(tmp_path: Path) -> None:
    made = store(tmp_path).make("k", fill)
    assert made == Entry(tmp_path / "kind" / "k", {"fact": 1})
    assert store(tmp_path).make("k", never) == store(tmp_path).open("k") == made
    assert (made.folder / "a.bin").read_bytes() == bytes(range(256))
    assert names(tmp_path) == ["k"]


@pytest.mark.parametrize("name", ["a.bin", "b.txt", "about.json"])
@pytest.mark.parametrize("damage", ["byte", "cut", "gone"])
def test_a_folder_that_was_damaged_is_made_anew_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    made = store(tmp_path).make("k", fill)
    path = made.folder / name
    content = path.read_bytes()
    changed = {"byte": content[:2] + b"?" + content[3:], "cut": content[:-4], "gone": None}[damage]
    path.unlink() if changed is None else path.write_bytes(changed)
    assert store(tmp_path).make("k", fill) == made
    assert path.read_bytes() == content
    assert [str(made.folder) in record.getMessage() for record in caplog.records] == [True]


def test_a_file_is_read_once_a_process_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    digest = cache._sealed.hashlib.file_digest

    def counted(stream: Any, kind: str) -> Any:
        read.append(Path(stream.name).name)
        return digest(stream, kind)

    monkeypatch.setattr(cache._sealed.hashlib, "file_digest", counted)
    made = store(tmp_path).make("k", fill)
    for _ in range(3):
        store(tmp_path).open("k")
    assert read == ["a.bin", "b.txt"]
    (made.folder / "b.txt").write_text("text")
    assert store(tmp_path).open("k") == made
    assert read == ["a.bin", "b.txt", "b.txt"]


def test_a_failure_while_a_folder_is_written_leaves_nothing(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        fill(folder)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store(tmp_path).make("k", broken)
    assert names(tmp_path) == []


def test_one_writes_and_the_others_wait_for_it(tmp_path: Path) -> None:
    made: list[int] = []

    def slow(folder: Path) -> dict[str, int]:
        made.append(1)
        time.sleep(0.1)
        return fill(folder)

    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda _: store(tmp_path).make("k", slow), range(8)))
    assert len(made) == 1
    assert entries == [entries[0]] * 8
    assert names(tmp_path) == ["k"]


def _hang(root: Path) -> None:
    def write(folder: Path) -> None:
        fill(folder)
        (root / "began").touch()
        time.sleep(60)

    store(root).make("k", write)


@pytest.fixture
def killed(tmp_path: Path) -> None:
    """Leave what a process leaves that was killed while it wrote a folder."""
    process = multiprocessing.get_context("fork").Process(target=_hang, args=(tmp_path,))
    process.start()
    while not (tmp_path / "began").exists():
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert ".k.part" in names(tmp_path)


@pytest.mark.usefixtures("killed")
def test_what_a_killed_process_left_is_no_entry_and_is_written_over(tmp_path: Path) -> None:
    assert store(tmp_path).open("k") is None
    assert store(tmp_path).make("k", fill).facts == {"fact": 1}
    assert names(tmp_path) == ["k"]


@pytest.mark.usefixtures("killed")
def test_what_a_killed_process_left_goes_with_the_next_entry(tmp_path: Path) -> None:
    store(tmp_path).make("other", fill)
    assert ".k.part" not in names(tmp_path)


def test_what_is_being_written_is_not_dropped(tmp_path: Path) -> None:
    def write(folder: Path) -> dict[str, int]:
        for number in range(5):
            store(tmp_path).make(f"other{number}", fill)
        return fill(folder)

    assert store(tmp_path).make("k", write).facts == {"fact": 1}


@pytest.mark.parametrize("kind", ["value", "folder"])
def test_those_used_last_are_kept(tmp_path: Path, kind: str) -> None:
    one = store(tmp_path)

    def use(number: int) -> None:
        if kind == "folder":
            one.make(f"{number}", fill)
        elif one.load(f"{number}") is None:
            one.save(f"{number}", number)

    for number in (0, 1, 2, 0, 3):
        use(number)
        time.sleep(0.01)  # the clock of files is coarse
    assert [name[0] for name in names(tmp_path)] == ["0", "2", "3"]


def test_what_was_used_a_while_ago_only_may_go(tmp_path: Path) -> None:
    one = store(tmp_path, keep=1, unused=3600)
    for number in range(3):
        one.save(f"{number}", number)
    assert len(names(tmp_path)) == 3
    os.utime(tmp_path / "kind" / "0.json", (0, 0))
    one.save("3", 3)
    assert names(tmp_path) == ["1.json", "2.json", "3.json"]


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_entries_have_the_rights_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = store(tmp_path).make("k", fill)
        store(tmp_path).save("v", 1)
    finally:
        os.umask(before)
    assert made.folder.stat().st_mode & 0o777 == 0o777 & ~umask
    for path in (*made.folder.iterdir(), tmp_path / "kind" / "v.json"):
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_cache_that_cannot_be_written_stores_no_value_and_refuses_a_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / "cache").write_text("")
    one = store(tmp_path / "cache")
    one.save("k", 1)
    assert one.load("k") is None
    with pytest.raises(CacheError, match="cannot write in the cache") as caught:
        one.make("k", never)
    assert "HUNDREDFOLD_CACHE" in str(caught.value.remedy)
    assert caught.value.exit_code == 3


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that any user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_nobody(code: str, *arguments: object, **environment: str) -> str:
    """Run Python as a user without rights, name or home, and return what it prints."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    before = (
        "import os, sys; from pathlib import Path; from hundredfold.cache import Store, location\n"
        "os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
    )
    source = str(Path(cache.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", before + code, *map(str, arguments)],
        env={"PYTHONPATH": source, "PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_user_reads_a_whole_cache_without_writing(open_folder: Path) -> None:
    store(open_folder).save("v", 7)
    store(open_folder).make("k", fill)
    before = {path: path.stat().st_mtime_ns for path in open_folder.rglob("*")}
    code = (
        "store = Store(Path(sys.argv[1]), 'kind', version=1, keep=1); store.save('other', 1);"
        "print(store.load('v'), store.make('k', None).facts, store.load('other'))"
    )
    assert as_nobody(code, open_folder) == "7 {'fact': 1} None"
    assert {path: path.stat().st_mtime_ns for path in open_folder.rglob("*")} == before


@pytest.mark.parametrize("home", [{}, {"HOME": ""}])
def test_a_user_without_a_home_gets_a_temporary_folder_of_their_own(
    open_folder: Path, home: dict[str, str]
) -> None:
    (open_folder / "tmp").mkdir()
    (open_folder / "tmp").chmod(0o1777)
    code = "print(location())"
    temporary = {"TMPDIR": str(open_folder / "tmp")}
    folder = Path(as_nobody(code, **home, **temporary))
    assert folder == open_folder / "tmp" / "hundredfold-54321"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Path(as_nobody(code, **home, **temporary)) == folder
    os.chown(folder, 0, 0)
    refused = code.replace(
        "print(location())", "\ntry: location()\nexcept Exception as e: print(e)"
    )
    told = as_nobody(refused, **home, **temporary)
    assert "another user" in told and "HUNDREDFOLD_CACHE" in told


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(tmp_path))
    assert cache.location() == tmp_path
    monkeypatch.setenv("HUNDREDFOLD_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(UsageError, match="HUNDREDFOLD_CACHE"):
        cache.location()
    monkeypatch.delenv("HUNDREDFOLD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.location() == tmp_path / "hundredfold"
