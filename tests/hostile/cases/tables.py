"""Tables and archives that a stranger made: CSV, TSV, Parquet, zip, tar, corrected labels."""

import io
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from hostile import odd
from hostile.case import HERE, Case
from hostile.cases import images
from hostile.worker import World

COUNT = 260
CODES = frozenset({0, 2, 3, 4})
ROWS = "".join(f"data/train/{label}/{k}.png,{label}\n" for k in range(12) for label in "ab")
GOOD = "file,label\n" + ROWS
TABLES: dict[str, bytes] = {
    "nothing": b"",
    "a head alone": b"file,label\n",
    "no head": ROWS.encode(),
    "one column": b"file\ndata/train/a/0.png\n",
    "three columns": GOOD.replace("\n", ",x\n").encode(),
    "a longer line": (GOOD + "data/train/a/0.png,a,b,c,d\n").encode(),
    "a shorter line": (GOOD + "data/train/a/0.png\n").encode(),
    "empty labels": GOOD.replace(",a", ",").encode(),
    "formulas": GOOD.replace(",a\n", ",=1+1\n").replace(",b\n", ",@SUM(A1)\n").encode(),
    "escapes": GOOD.replace(",a\n", f",{odd.ESCAPE}\n").encode(),
    "paths that lead out": GOOD.replace("data/train/a/", "../outside/photos/a/").encode(),
    "absolute paths": GOOD.replace("data/train/a/", "/proc/self/").encode(),
    "devices": GOOD.replace("data/train/a/0.png", "/dev/zero").encode(),
    "missing files": GOOD.replace("train/a", "nothing").encode(),
    "empty paths": GOOD.replace("data/train/a/0.png", "").encode(),
    "long paths": GOOD.replace("data/train/a/0.png", "x" * 100_000).encode(),
    "deep paths": GOOD.replace("data/train/a/0.png", "x/" * 50_000).encode(),
    "long labels": GOOD.replace(",a\n", f",{'x' * 100_000}\n").encode(),
    "a field of 3 MB": (GOOD + '"' + "x" * 3_000_000 + '",a\n').encode(),
    "an open quote": (GOOD + '"data/train/a').encode(),
    "quotes": b'"' * 300_000,
    "commas": b"," * 1_000_000,
    "wide lines": (b"," * 50_000 + b"\n") * 20,
    "zeros": GOOD.encode() + bytes(5000),
    "zeros alone": bytes(5000),
    "UTF-16": GOOD.encode("utf-16"),
    "a mark of byte order": b"\xef\xbb\xbf" + GOOD.encode(),
    "Latin-1": GOOD.replace(",a", ",\u00e4").encode("latin-1"),
    "carriage returns": GOOD.replace("\n", "\r").encode(),
    "semicolons": GOOD.replace(",", ";").encode(),
    "tabs": GOOD.replace(",", "\t").encode(),
    "the same column twice": GOOD.replace("file,label", "label,label").encode(),
    "columns of escapes": GOOD.replace("file,label", f"{odd.ESCAPE},\x07").encode(),
    "rows twice": (GOOD + ROWS).encode(),
    "contradictions": (GOOD + ROWS.replace(",a", ",c")).encode(),
    "100,000 missing files": (
        "file,label\n" + "".join(f"n/{k},a\n" for k in range(100_000))
    ).encode(),
    "100,000 labels": (
        "file,label\n" + "".join(f"data/train/a/0.png,{k}\n" for k in range(100_000))
    ).encode(),
    "odd parts": GOOD.replace("\n", ",dev\n").replace("label,dev", "label,split").encode(),
    "parts of escapes": GOOD.replace("\n", ",\x1b[2J\n")
    .replace("label,\x1b[2J", "label,split")
    .encode(),
    "unpaired quotes": GOOD.replace("data", '"data').encode(),
    "noise": random.Random(3).randbytes(20_000),
}


@cache
def _png() -> bytes:
    return images.original("png")


def zipped(kind: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """Return a zip of sound classes and further members; "__" in a name is a "/"."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", kind) as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for label in "ab":
            for number in range(6):
                archive.writestr(f"{label}/{number}.png", _png())
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _named(*names: str) -> Callable[[], bytes]:
    return lambda: zipped(**{name: _png() for name in names})


def _tar(*extra: tarfile.TarInfo, mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for label in "ab":
            for number in range(6):
                member = tarfile.TarInfo(f"{label}/{number}.png")
                member.size = len(_png())
                archive.addfile(member, io.BytesIO(_png()))
        for member in extra:
            archive.addfile(member, io.BytesIO(bytes(min(member.size, 1 << 20))))
    return stream.getvalue()


def _member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, size
    return made


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "nothing.zip": lambda: b"",
    "half.zip": lambda: zipped()[:-30],
    "no-archive.zip": lambda: b"x" * 5000,
    "bomb.zip": lambda: zipped(zipfile.ZIP_DEFLATED, **{"a/b.png": bytes(1 << 28)}),
    "small-bomb.zip": lambda: zipped(zipfile.ZIP_DEFLATED, **{"a/b.png": bytes(30 << 20)}),
    "out.zip": _named("../../outside/x.png", "/tmp/x.png", "a/../../x.png"),
    "escapes.zip": _named("a/\x1b[2J.png", "\x1b]0;x\x07/1.png", "a/line\nbreak.png"),
    "names.zip": _named(
        "a/" + "x" * 60_000 + ".png", "/".join("d" * 9000) + "/x.png", "=1+1/x.png"
    ),
    "twins.zip": lambda: zipped(**{"a/0.png": b"other", "A/0.png": _png()}),
    "many.zip": lambda: zipped(**{f"a/n{k}.txt": b"" for k in range(60_000)}),
    "system.zip": _named("__MACOSX/a/0.png", "a/.DS_Store", ".git/x.png", "a/x.heic", "c/x.txt"),
    "inside.zip": lambda: zipped(**{"a/x.zip": zipped()}),
    "nothing.tar": lambda: b"",
    "zeros.tar": lambda: bytes(10_240),
    "half.tar": lambda: _tar()[:-12_000],
    "plain.tar.gz": lambda: _tar(mode="w:gz"),
    "half.tar.gz": lambda: _tar(mode="w:gz")[:-40],
    "no-archive.tar.gz": lambda: b"\x1f\x8b" + bytes(400),
    "links.tar": lambda: _tar(
        _member("a/l.png", tarfile.SYMTYPE, "../../../outside/photos/a/0.png"),
        _member("a/h.png", tarfile.LNKTYPE, "a/0.png"),
        _member("a/s.png", tarfile.SYMTYPE, "s.png"),
        _member("a/c.png", tarfile.LNKTYPE, "a/c.png"),
    ),
    "special.tar": lambda: _tar(
        _member("a/p.png", tarfile.FIFOTYPE),
        _member("a/d.png", tarfile.CHRTYPE),
        _member("a/b.png", tarfile.BLKTYPE),
        _member("a/k.png", b"Z"),
    ),
    "out.tar": lambda: _tar(_member("../../outside/x.png"), _member("/tmp/x.png")),
    "huge.tar": lambda: _tar()[:-10_240] + _member("a/x.png", size=1 << 40).tobuf(),
    "bomb.tar.gz": lambda: _tar(
        _member("a/x.png", size=1 << 20),
        *[_member(f"a/x{k}.png", size=1 << 20) for k in range(600)],
        mode="w:gz",
    ),
    "names.tar": lambda: _tar(_member("x" * 30_000 + ".png"), _member("a/\x1b[2J.png")),
    "bomb.tar.xz": lambda: _tar(
        *[_member(f"a/x{k}.png", size=1 << 20) for k in range(600)], mode="w:xz"
    ),
}


def furnish(world: World) -> None:
    """Make sound images, a run of them, and a sound table."""
    images.furnish(world)
    (world.base / HERE / "good.csv").write_text(GOOD)


def cases(seed: int) -> list[Case]:
    """Return all cases, in a random order that depends on the seed."""
    chance = random.Random(seed)
    made = [case for name, content in TABLES.items() for case in _of_table(name, content, chance)]
    made += [case for name, make in ARCHIVES.items() for case in _of_archive(name, make)]
    while len(made) < COUNT:
        made.append(_mutant(random.Random(chance.random()), len(made)))
    chance.shuffle(made)
    return made


def _train(data: str, *more: str) -> tuple[str, ...]:
    return ("train", "--data", data, *images.TRAIN[3:], *more)


def _of_table(name: str, content: bytes, chance: random.Random) -> Iterator[Case]:
    ending = chance.choice(["csv", "csv", "tsv", "parquet"])
    file = f"t.{ending}"

    def build(world: Path, file: str = file) -> None:
        (world / HERE / file).write_bytes(content)

    verb = chance.choice([("data", "check", file), ("data", "check", file, "--json"), _train(file)])
    twin = tuple(word.replace(file, "good.csv") for word in verb)
    allowed = (f"{HERE}/runs",) if verb[0] == "train" else ()
    yield Case(f"{ending} of {name}", verb, build, allowed, CODES, twin)
    corrected = _train("data", "--labels", "t.csv")
    yield Case(
        f"corrected labels of {name}", corrected, lambda world: build(world, "t.csv"),
        (f"{HERE}/runs",), CODES, images.TRAIN,
    )  # fmt: skip
    sorted_ = chance.choice(
        [("--group", odd.ESCAPE), ("--label-column", "x"), ("--image-column", "label")]
    )
    yield Case(
        f"table of {name} with {sorted_[0]}", _train("t.csv", *sorted_),
        lambda world: build(world, "t.csv"), (f"{HERE}/runs",), CODES, _train("good.csv"),
    )  # fmt: skip


def _of_archive(name: str, make: Callable[[], bytes]) -> Iterator[Case]:
    for verb in (
        ("data", "check", name),
        _train(name),
        ("predict", "done", name, "--threads", "1"),
    ):
        allowed = (f"{HERE}/runs",) if verb[0] == "train" else ()
        twin = ("data", "check", "data") if verb[0] == "data" else images.TRAIN

        def build(world: Path) -> None:
            (world / HERE / name).write_bytes(make())

        yield Case(f"archive {name}", verb, build, allowed, CODES, twin)


def _mutant(chance: random.Random, number: int) -> Case:
    name = chance.choice(["m.csv", "m.zip", "m.tar", "m.tar.gz"])
    verb = chance.choice([("data", "check", name), _train(name)])

    def build(world: Path) -> None:
        made = {
            "m.csv": GOOD.encode,
            "m.zip": zipped,
            "m.tar": _tar,
            "m.tar.gz": lambda: _tar(mode="w:gz"),
        }
        (world / HERE / name).write_bytes(odd.flipped(made[name](), chance))

    allowed = (f"{HERE}/runs",) if verb[0] == "train" else ()
    return Case(f"mutant {number} of {name}", verb, build, allowed, CODES, images.TRAIN)
