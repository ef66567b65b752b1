"""Folders of images that a stranger made: links, pipes, odd names, folders of the system, parts."""

import contextlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hostile import odd
from hostile.case import HERE, OUTSIDE, Case
from hostile.cases import images, runs
from hostile.worker import World
from PIL import Image

COUNT = 320
VERBS = (
    ("data", "check", "data"),
    ("data", "check", "data", "--json"),
    images.TRAIN,
    ("predict", "done", "data", "--threads", "1"),
    ("predict", "done", "data", "--json", "--threads", "1"),
    ("data", "check", "data", "--html", "page.html"),
)
NAMES = (
    b"plain", b"with space", b"Fr\xfcchte", b"a\xe4", b"a\xf6", b"\xff\xfe", b"\x1b]0;owned\x07",
    b"line\nbreak", b"tab\there", b"=1+1", b"@SUM(A1)", b"-rf", b"--help", b"'quoted'", b'"x"',
    b"<script>alert(1)</script>", b"&amp;", b"x" * 250, "é".encode(), "e\u0301".encode(),
    "\u202egnp".encode(), b"CON", b"...", b".hidden", b"a,b;c", b"%s%n", b"[red]x[/red]", b"*",
    "\u2028".encode(), b"\\", b"~", b"$HOME", b"a|b", b"\xf0\x9f\x90\x88", b"0", b"nan", b"None",
)  # fmt: skip
SYSTEM = ("lost+found", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", ".git", "@eaDir",
          ".ipynb_checkpoints", ".Trash-1000", ".DS_Store", "Thumbs.db", "desktop.ini", "#recycle",
          ".Spotlight-V100", ".fseventsd", "_annotations", "labels.txt")  # fmt: skip
PARTS = ("train", "val", "test", "dev", "holdout", "valid", "validation", "training", "testing",
         "Train", "TEST", "test2", "unlabeled", "evaluation", "fold1", "a", "b", "")  # fmt: skip
FILES = (".HEIC", ".heif", ".avif", ".JPG", ".jpeg", "", ".txt", ".json", ".xml", ".npy", ".mp4",
         ".svg", ".cr2", ".zip", ".csv", ".png.part", ".PNG", ".psd", ".pdf", ".ico")  # fmt: skip
Build = Callable[[Path, random.Random], None]


def furnish(world: World) -> None:
    """Make sound images in classes, and a run of them."""
    images.furnish(world)


def cases(seed: int) -> list[Case]:
    """Return all cases: some faults of each of a few kinds in one tree."""
    chance = random.Random(seed)
    return [_case(random.Random(chance.random()), number) for number in range(COUNT)]


def _case(chance: random.Random, number: int) -> Case:
    kinds = chance.sample(list(KINDS), chance.choice([1, 1, 2, 3]))
    argv = VERBS[number % len(VERBS)]

    def build(world: Path) -> None:
        data = world / HERE / "data"
        if chance.random() < 0.5:  # classes without parts
            odd.remove(data)
            runs.pictures(data.with_name("made"), ("train",))
            (data.with_name("made") / "train").rename(data)
            data.with_name("made").rmdir()
        for kind in kinds:
            with contextlib.suppress(OSError):  # where one fault is in the way of another
                KINDS[kind](data, chance)

    allowed = {"train": (f"{HERE}/runs",), "data": (f"{HERE}/page.html",)}.get(argv[0], ())
    codes = frozenset({0, 2, 3})
    return Case(f"{number}: {', '.join(kinds)}", argv, build, allowed, codes)


def _folders(data: Path) -> list[Path]:
    return [data, *(p for p in sorted(data.rglob("*")) if p.is_dir() and not p.is_symlink())]


def _picture(path: Path, chance: random.Random) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    base = chance.randrange(120)
    pixels = np.random.default_rng(chance.randrange(99)).integers(base, base + 90, (16, 16, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(path, "PNG")


def _within(folder: Path, name: bytes, ending: bytes = b"") -> Path:
    return folder / os.fsdecode(name[: 250 - len(ending)] + ending)


def _odd_files(data: Path, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 6)):
        _picture(_within(chance.choice(_folders(data)), chance.choice(NAMES), b".png"), chance)


def _odd_classes(data: Path, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 4)):
        folder = _within(chance.choice(_folders(data)[:3]), chance.choice(NAMES))
        for number in range(chance.choice([0, 1, 12])):
            _picture(folder / f"{number}.png", chance)
        folder.mkdir(parents=True, exist_ok=True)


def _special(data: Path, chance: random.Random) -> None:
    kinds = [k for k in odd.PLACES if k not in ("missing", "a folder")]
    for _ in range(chance.randrange(1, 4)):
        path = chance.choice(_folders(data)) / f"s{chance.randrange(99)}.png"
        odd.replace(path, chance.choice(kinds))


def _linked(data: Path, chance: random.Random) -> None:
    """Links within, out, in circles, to folders and to files."""
    outside = data.parents[1] / OUTSIDE
    inside = [p for p in data.rglob("*") if not p.is_symlink()]
    for _ in range(chance.randrange(1, 4)):
        target = chance.choice(
            [*inside, data, data.parent, outside, outside / "photos", outside / "photos" / "a",
             outside / "photos" / "a" / "0.png", Path("/"), Path("/proc"), Path("/dev")]
        )  # fmt: skip
        path = chance.choice(_folders(data)) / chance.choice(["l", "l.png", "c.jpg", "val"])
        odd.remove(path) if path.is_symlink() else None
        if not path.exists():
            path.symlink_to(
                target if chance.random() < 0.5 else os.path.relpath(target, path.parent)
            )


def _system(data: Path, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 4)):
        path = chance.choice(_folders(data)) / chance.choice(SYSTEM)
        if path.exists():
            continue
        path.mkdir()
        if chance.random() < 0.6:
            _picture(path / "0.png", chance)
        if chance.random() < 0.4:
            path.chmod(0)


def _parts(data: Path, chance: random.Random) -> None:
    """Parts in another order, of unknown names, with loose images, within classes."""
    for _ in range(chance.randrange(1, 4)):
        folder = chance.choice(_folders(data)) / chance.choice(PARTS) / chance.choice(PARTS)
        for number in range(chance.choice([1, 3, 12])):
            _picture(folder / f"p{number}.png", chance)


def _endings(data: Path, chance: random.Random) -> None:
    for number in range(chance.randrange(1, 12)):
        path = chance.choice(_folders(data)) / f"e{number}{chance.choice(FILES)}"
        path.write_bytes(chance.choice([b"", b"x", bytes(99), images.original("avif")]))


def _emptied(data: Path, chance: random.Random) -> None:
    for path in data.rglob("*.png"):
        if chance.random() < 0.9:
            path.unlink()


def _closed(data: Path, chance: random.Random) -> None:
    chance.choice(_folders(data)[1:]).chmod(chance.choice([0, 0o400, 0o300]))


def _deep(data: Path, chance: random.Random) -> None:
    _picture(data / Path(*["d"] * chance.choice([20, 100, 400])) / "x.png", chance)


def _many(data: Path, chance: random.Random) -> None:
    for number in range(300):
        (data / f"class{number}").mkdir()
    _picture(data / "class0" / "x.png", chance)


def _damaged(data: Path, chance: random.Random) -> None:
    for path in list(data.rglob("*.png"))[:: chance.choice([1, 2, 9])]:
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 20:
            path.write_bytes(odd.flipped(path.read_bytes(), chance))


KINDS: dict[str, Build] = {
    "odd names of files": _odd_files,
    "odd names of classes": _odd_classes,
    "special files": _special,
    "links": _linked,
    "folders of the system": _system,
    "parts": _parts,
    "other endings": _endings,
    "empty classes": _emptied,
    "closed folders": _closed,
    "deep folders": _deep,
    "many classes": _many,
    "damaged images": _damaged,
}
