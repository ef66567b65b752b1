"""What a hostile case is, and the world that it is carried out in."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CONTRACT = frozenset({0, 2, 3, 4, 5, 130, 143})
SECRET = "what-nobody-shows-7f3a91"  # in every text outside
SCRIPT = "<script>alert(1)"  # in names and values that strangers gave
COLOUR = (251, 7, 213)  # of every picture outside
HERE, OUTSIDE = "here", "outside"


def nothing(_: Path) -> None:
    """Leave the world as it is."""


@dataclass(frozen=True)
class Case:
    """One command in a folder that a stranger made.

    name:       words that tell it from the others of its harness.
    argv:       what stands after `hundredfold`; the current folder is world/here.
    build:      a function of the world that makes the folder hostile; it is a copy of the base.
    may_change: paths below the world that the command may change; "" is everything.
    codes:      the exit codes that are right.
    twin:       the harmless command to compare its time with; argv in the base by default, and
                none (0 seconds) where `harmless` is False.
    environment: variables for the command.
    inject:     faults for strace, as in "rename:error=EIO"; none without.
    before:     called in the child before the command, as in lowering a limit.
    """

    name: str
    argv: tuple[str, ...]
    build: Callable[[Path], None] = nothing
    may_change: tuple[str, ...] = ()
    codes: frozenset[int] = CONTRACT
    twin: tuple[str, ...] = ()
    harmless: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    inject: tuple[str, ...] = ()
    before: Callable[[], None] | None = None

    def may(self, path: str) -> bool:
        """Return whether the command may change a path."""
        return any(part in ("", path) or path.startswith(f"{part}/") for part in self.may_change)


def furnish_outside(world: Path) -> None:
    """Make the folder that no command may touch: texts, weights, pictures, a folder of classes."""
    from PIL import Image

    outside = world / OUTSIDE
    for folder in (outside, outside / "folder", outside / "photos" / "a", outside / "photos" / "b"):
        folder.mkdir(parents=True)
    for name in ("notes.txt", "page.svg", "folder/best.safetensors", "folder/00000001.json"):
        (outside / name).write_text(f"{SECRET}\n")
    for number in range(24):
        picture = Image.new("RGB", (16, 16), COLOUR)
        picture.putpixel((number % 16, number // 16), (0, 0, 0))
        picture.save(outside / "photos" / "ab"[number % 2] / f"{number}.png")


def digest(world: Path) -> dict[str, str]:
    """Return path -> kind, mode and content of all that lies in a world."""
    return {path.relative_to(world).as_posix(): _state(path) for path in _walk(world)}


def _walk(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)


def _state(path: Path) -> str:
    status = path.lstat()
    kind = stat.filemode(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return f"link to {path.readlink()!r}"
    if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 24:
        return f"{kind} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return f"{kind} {status.st_size if stat.S_ISREG(status.st_mode) else ''}"
