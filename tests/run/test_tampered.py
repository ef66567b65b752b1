"""Anyone's run: whatever its files hold, each verb is one sentence and changes nothing outside.

A table of mutations over all files and fields of a small run; a seeded draw of them goes through
every verb in this process. A mutation is a function of the run's folder.
"""

import hashlib
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hundredfold import api, cli
from hundredfold.errors import Interrupted
from hundredfold.run import commits
from hundredfold.training import saves

Mutation = Callable[[Path], None]
Tree = Any

DEEP = "[" * 3000 + "]" * 3000
VALUES = {
    "null": "null",
    "list": "[1, 2]",
    "table": '{"a": 1}',
    "text": '"x"',
    "long text": json.dumps("x" * 30_000),
    "zero byte": '"a\\u0000b"',
    "half a character": '"\\ud800"',
    "true": "true",
    "-1": "-1",
    "0": "0",
    "0.5": "0.5",
    "1e308": "1e308",
    "1e999": "1e999",
    "NaN": "NaN",
    "digits": "9" * 5000,
    "deep": DEEP,
}
JSON = ("run.json", "scores.json", "model.json", "validation.json", "test.json")
ARRAYS = ("validation.logits", "validation.labels", "validation.rows", "test.logits", "test.labels",
          "test.rows", "test.unseen")  # fmt: skip
FILES = (*JSON, *(f"{name}.npy" for name in ARRAYS), "recipe.toml", "curve.jsonl", "log.txt",
         ".lock", "report.html", "weights/best.safetensors", "figures/network.svg",
         "test.classes.csv", "test.predictions.csv")  # fmt: skip
FOLDERS = ("weights", "state", "figures", "source")
_MARK = "@@here@@"
DRAWN, SEED = 12, 1


def mutations(state: bool) -> dict[str, Mutation]:
    """Return all mutations by name; state: of a run that was stopped, with a save."""
    every = {**_whole_files(state), **_folders(), **_recipes()}
    every |= {f"{name}: {what}": change for name in ("curve.jsonl",) for what, change in _lines()}
    if not state:
        every |= dict(_arrays())
    return every


def fields(folder: Path) -> dict[str, Mutation]:
    """Return a mutation for each field of each JSON file of a run, and each value."""
    found: dict[str, Mutation] = {}
    names = [name for name in JSON if (folder / name).exists()]
    names += [f"state/{path.name}" for path in (folder / "state").glob("*.json")]
    for name in names:
        tree = json.loads((folder / name).read_text())
        for path in _paths(tree):
            for kind, text in VALUES.items():
                found[f"{name}: {'.'.join(map(str, path))} = {kind}"] = _set(name, path, text)
            found[f"{name}: {'.'.join(map(str, path))} is gone"] = _set(name, path, None)
    return found


def drawn(every: dict[str, Mutation], count: int, seed: int) -> dict[str, Mutation]:
    """Return so many of the mutations."""
    names = random.Random(seed).sample(sorted(every), min(count, len(every)))
    return {name: every[name] for name in names}


def _paths(tree: Tree, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree[:1])
    for key, value in items:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from _paths(value, (*above, key))


def _set(name: str, path: tuple[Any, ...], text: str | None) -> Mutation:
    """Return a function that sets a field to JSON text, or removes it; a commit is signed again."""

    def change(folder: Path) -> None:
        tree = json.loads((folder / name).read_text())
        inner = tree
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = _MARK
        if text is None:
            del inner[path[-1]]
        raw = json.dumps(tree).replace(json.dumps(_MARK), text or "")
        if name.startswith("state/") and path != ("sha256",):
            raw = _signed(raw)
        (folder / name).write_text(raw)

    return change


def _signed(raw: str) -> str:
    try:
        commit = json.loads(raw)
        commit.pop("sha256", None)
        return json.dumps(commit | {"sha256": commits.digest(commit)})
    except (ValueError, RecursionError):
        return raw


def _write(name: str, content: bytes) -> Mutation:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return change


def _cut(name: str) -> Mutation:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes() if (folder / name).exists() else b"{"
        (folder / name).write_bytes(content[: len(content) // 2])

    return change


def _replaced(name: str, by: Callable[[Path], None]) -> Mutation:
    def change(folder: Path) -> None:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        by(path)

    return change


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(4 << 30)


def _outside(path: Path) -> Path:
    """Return the folder beside the folder of runs that nothing may change."""
    return next(above for above in path.parents if above.name == "runs").parent / "outside"


def _whole_files(state: bool) -> dict[str, Mutation]:
    kinds: dict[str, Callable[[Path], None]] = {
        "gone": lambda _path: None,
        "a pipe": os.mkfifo,
        "a folder": lambda path: path.mkdir(),
        "a link to a file": lambda path: path.symlink_to(_outside(path) / "mine.txt"),
        "a link to zeros": lambda path: path.symlink_to("/dev/zero"),
        "a link to nothing": lambda path: path.symlink_to(_outside(path) / "new.txt"),
        "a link to itself": lambda path: path.symlink_to(path.name),
        "4 GB": _sparse,
    }
    found: dict[str, Mutation] = {}
    for name in (*FILES, *(("state/0000000004.json",) if state else ())):
        for kind, by in kinds.items():
            found[f"{name} is {kind}"] = _replaced(name, by)
        if not name.endswith((".svg", ".html", ".csv", ".txt", ".lock")):
            contents = (
                b"",
                b"[1, 2]",
                b"{}",
                b"null",
                DEEP.encode(),
                b"\xff\xfe\x00",
                b"\x93NUMPY",
            )
            for content in contents:
                found[f"{name} contains {content[:8]!r}"] = _write(name, content)
            found[f"{name} is cut"] = _cut(name)
    return found


def _folders() -> dict[str, Mutation]:
    kinds: dict[str, Callable[[Path], None]] = {
        "gone": lambda _path: None,
        "a file": lambda path: path.write_text("x"),
        "a link": lambda path: path.symlink_to(_outside(path) / "folder"),
        "a link to nothing": lambda path: path.symlink_to(_outside(path) / "new"),
    }
    found = {f"{n} is {k}": _replaced(n, by) for n in FOLDERS for k, by in kinds.items()}
    inside = ("state/0000000009.safetensors", "weights/last.safetensors", "new.npy", "source/a.py")
    for name in inside:
        for kind in ("a link to a file", "a pipe"):
            by = os.mkfifo if kind == "a pipe" else _link
            found[f"{name} is {kind}"] = _replaced(name, by)
    return found


def _link(path: Path) -> None:
    path.symlink_to(_outside(path) / "folder" / "theirs.safetensors")


def _recipes() -> dict[str, Mutation]:
    lines = {
        "epochs": ("1e308", '"x"', "-1", "inf", "nan", "99" * 3000),
        "batch_size": ("0", "1e9", "[]", "9" * 30),
        "model": ('"nothing"', '"wrn(width=10**9)"', "3", '"../../x.py:net"', '"simple_cnn("'),
        "data": ('"image_folder(size=10**9)"', '"/dev/zero"', "[]", '"cifar100"'),
        "optimizer": ('"adam(lr=1e999)"', "true"),
        "seed": ("-1", "1e3", '"0"'),
        "title": ("[" * 3000 + "]" * 3000, "1", '"\\u0000"'),
        "nonsense": ("1", "a", "{}"),
        "sources": ("1", '{ a = "b" }'),
        "select": ('"last"', "1"),
        "validation": ("0", "2"),
    }
    return {
        f"recipe.toml: {key} = {text[:30]}": _recipe(key, text)
        for key, texts in lines.items()
        for text in texts
    }


def _recipe(key: str, text: str) -> Mutation:
    def change(folder: Path) -> None:
        path = folder / "recipe.toml"
        kept = [line for line in path.read_text().splitlines() if line.split("=")[0].strip() != key]
        path.write_text("\n".join([*kept, f"{key} = {text}"]) + "\n")

    return change


def _lines() -> Iterator[tuple[str, Mutation]]:
    row = {"epoch": 1, "step": 4, "seconds": 0.1, "lr": 0.1, "train.loss": 1.0}
    for key in row:
        for kind, text in VALUES.items():
            line = json.dumps(row | {key: _MARK}).replace(json.dumps(_MARK), text) + "\n"
            yield f"{key} = {kind}", _write("curve.jsonl", line.encode())
    yield "no epoch", _write("curve.jsonl", b'{"lr": 1}\n')
    yield (
        "half a line",
        _write("curve.jsonl", (json.dumps(row) + "\n").encode() * 2 + b'{"epoch": 3, "t'),
    )


def _arrays() -> Iterator[tuple[str, Mutation]]:
    for name in ARRAYS:
        file = f"{name}.npy"
        yield f"{file} of terabytes", _header(file, "(4000000000000, 3)")
        yield f"{file} of objects", _saved(file, lambda a: np.array([{"a": 1}] * len(a), object))
        yield f"{file} of text", _saved(file, lambda a: a.astype("U8"))
        yield f"{file} of one more dimension", _saved(file, lambda a: a[None])
        yield f"{file} of no image", _saved(file, lambda a: a[:0])
        yield f"{file} of one image less", _saved(file, lambda a: a[1:])
        yield (
            f"{file} negative",
            _saved(file, lambda a: (a * 0 - 1).astype(a.dtype) if a.dtype != bool else a),
        )
        yield (
            f"{file} huge",
            _saved(file, lambda a: np.full_like(a, True if a.dtype == bool else 2**62)),
        )
        if name.endswith("logits"):
            for value in (np.nan, np.inf, 3e38):
                yield f"{file} of {value}", _saved(file, lambda a, v=value: np.full_like(a, v))
            yield (
                f"{file} of one class more",
                _saved(file, lambda a: np.concatenate([a, a[:, :1]], 1)),
            )
            yield f"{file} of doubles", _saved(file, lambda a: a.astype(float))


def _header(name: str, shape: str) -> Mutation:
    def change(folder: Path) -> None:
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
        (folder / name).write_bytes(head + b"\0" * 64)

    return change


def _saved(name: str, of: Callable[[Any], Any]) -> Mutation:
    def change(folder: Path) -> None:
        array = np.load(folder / name)
        np.save(folder / name, of(array), allow_pickle=True)

    return change


def _pictures(folder: Path) -> Path:
    """Write 12 training and 4 test images of each of 3 classes, 16 px."""
    draw = np.random.default_rng(3)
    for part, count in (("train", 12), ("test", 4)):
        for label in range(3):
            (folder / part / f"c{label}").mkdir(parents=True)
            for k in range(count):
                pixels = draw.integers(0, 100, (16, 16, 3), np.uint8) + np.uint8(50 * label)
                Image.fromarray(pixels).save(folder / part / f"c{label}" / f"{k}.png")
    return folder


def make_runs(base: Path) -> None:
    """Make runs/done, evaluated, and runs/stopped, with a save; and outside/, to stay as it is."""
    options = {
        "data": str(_pictures(base / "pictures")), "model": "simple_cnn",
        "batch_size": 6, "precision": "fp32", "threads": 1, "out": base / "runs", "patience": 0,
    }  # fmt: skip
    whole = api.train(epochs=2, name="done", progress="none", **options)
    whole.evaluate("test", threads=1)

    def stop(event: Any) -> None:
        if event["event"] == "epoch" and event["epoch"] == 3:
            raise KeyboardInterrupt

    share, saves.SHARE_OF_TIME = saves.SHARE_OF_TIME, float("inf")
    try:
        api.train(epochs=4, name="stopped", progress=stop, **options)
    except (Interrupted, KeyboardInterrupt):
        pass
    finally:
        saves.SHARE_OF_TIME = share
    (base / "outside" / "folder").mkdir(parents=True)
    (base / "outside" / "mine.txt").write_text("mine")
    theirs = base / "outside" / "folder" / "theirs.safetensors"
    shutil.copy(whole.folder / "weights" / "best.safetensors", theirs)
    shutil.copytree(base / "runs", base / "originals", symlinks=True)


def snapshot(base: Path, run: Path) -> dict[str, str]:
    """Return the digest of every file below a folder except those of a run."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(base.rglob("*"))
        if not path.is_relative_to(run) and not path.is_symlink()
    }


class TooLong(BaseException):
    """A command that did not end in time."""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise TooLong where the block takes longer."""

    def stop(*_: Any) -> None:
        raise TooLong

    former = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


def commands(base: Path, run: str) -> list[list[str]]:
    """Return a command line of every verb that reads a run."""
    folder, out = str(base / "runs" / run), ["--out", str(base / "runs")]
    resume = ["train", "--resume", folder, "--threads", "1"]
    picture = str(base / "pictures" / "test" / "c0" / "0.png")
    return [["runs", *out], ["runs", run, *out], ["report", folder],
             ["predict", folder, picture, "--threads", "1", "--json"],
             ["evaluate", folder, "--split", "test", "--threads", "1"],
             ["evaluate", folder, "--split", "validation", "--threads", "1"], resume]  # fmt: skip


def tried(base: Path, run: str, mutation: Mutation) -> list[str]:
    """Apply a mutation to a copy of a run, carry out every verb, and return what went wrong."""
    original, copy = base / "originals" / run, base / "runs" / run
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(original, copy)
    mutation(copy)
    before, wrong = snapshot(base, copy), []
    for command in commands(base, run):
        try:
            with within(240):
                code = cli.main(command)
        except TooLong:
            wrong.append(f"{command[0]} hangs")
            continue
        if code not in (0, 2, 3, 4, 5):
            wrong.append(f"{command[0]} exit {code}")
        if command[0] == "runs" and command[1] == "--out" and code:
            wrong.append(f"runs exit {code}")
    if snapshot(base, copy) != before:
        wrong.append("something outside changed")
    return wrong


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tampered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(folder / "cache"))
        make_runs(folder)
    return folder


@pytest.mark.parametrize("run", ["done", "stopped"])
@pytest.mark.parametrize("kind", ["files", "fields"])
def test_no_tampered_run_is_an_internal_error_or_changes_anything_outside(
    base: Path, monkeypatch: pytest.MonkeyPatch, run: str, kind: str
) -> None:
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(base / "cache"))
    monkeypatch.setenv("HUNDREDFOLD_DEBUG", "1")
    every = mutations(run == "stopped") if kind == "files" else fields(base / "originals" / run)
    wrong = {name: tried(base, run, change) for name, change in drawn(every, DRAWN, SEED).items()}
    assert {name: what for name, what in wrong.items() if what} == {}


def test_the_runs_themselves_are_whole(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mutation each verb does its work, and the stopped run goes on to its end."""
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(base / "cache"))
    for run in ("done", "stopped"):
        assert tried(base, run, lambda _folder: None) == []
        codes = [cli.main(command) for command in commands(base, run)]
        assert codes == [0, 0, 0, 0, 0, 0, 2], "a finished run is not resumed"
