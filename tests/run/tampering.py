"""A table of mutations over all files and fields of a small run.

A mutation is a function of the run's folder.
"""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hundredfold.run import commits

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
JSON = ("run.json", "scores.json", "model.json", "validation.json", "test.json",
        "calibration.json", "corruptions.json", "unlike.json")  # fmt: skip
ARRAYS = ("validation.logits", "validation.labels", "validation.rows", "test.logits", "test.labels",
          "test.rows", "test.unseen")  # fmt: skip
FILES = (*JSON, *(f"{name}.npy" for name in ARRAYS), "recipe.toml", "curve.jsonl", "log.txt",
         ".lock", "report.html", "weights/best.safetensors", "figures/network.svg",
         "test.classes.csv", "test.predictions.csv")  # fmt: skip
FOLDERS = ("weights", "state", "figures", "source")
_MARK = "@@here@@"


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
