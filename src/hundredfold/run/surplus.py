"""What a run's folder holds beyond need: dead saves, temporary files, a second copy of weights.

A finished run is not resumed, so its state/ is dead. `best` and `last` of equal bytes share one
inode where the disk has hard links, and both names stay. A run that lost a search keeps no weights,
finished or not.
"""

import filecmp
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hundredfold import files
from hundredfold.run import plain
from hundredfold.run._folder import Run

STATE, TEMPORARY = "state of a finished run", "temporary file of a killed command"
EQUAL, LOST = "copy of equal weights", "weights of a run that lost its search"
_BEST, _LAST = "weights/best.safetensors", "weights/last.safetensors"
_SAVES = ("*.json", "*.safetensors")


@dataclass(frozen=True)
class Surplus:
    """A file that a run does not need. bytes: what its disk gains, 0 where others share it."""

    path: Path
    kind: str
    bytes: int


def find(run: Run) -> list[Surplus]:
    """Return what a run's folder does not need; nothing for a run that is being written.

    Raises DataError for a folder with a link in it and for a damaged run.json.
    """
    if run.is_written:
        return []
    plain.need_own(run.folder)
    return list(_found(run))


def free(run: Run) -> list[Surplus]:
    """Delete or link what a run's folder does not need, and return it.

    Raises UsageError where another process writes the run, and what `find` raises.
    """
    with run.writer():
        return [surplus for surplus in list(_found(run)) if _free(run, surplus)]


def _free(run: Run, surplus: Surplus) -> bool:
    if surplus.kind == EQUAL:
        return link_equal_weights(run)
    surplus.path.unlink(missing_ok=True)
    return True


def link_equal_weights(run: Run) -> bool:
    """Make `last` a hard link to `best` where both hold the same bytes; return whether it is now.

    Only the writer of a run may call it. A disk without hard links keeps two files.
    """
    if not _are_equal(run):
        return False
    best, last = run.best(), run.last()
    spare = last.with_name(f".{last.name}.{secrets.token_hex(4)}{files.TEMPORARY}")
    with suppress(OSError):
        os.link(best, spare, follow_symlinks=False)
        spare.replace(last)  # a reader finds the one file or the other
        return True
    spare.unlink(missing_ok=True)
    return False


def _found(run: Run) -> Iterator[Surplus]:
    """Yield the surplus of a run; the caller has checked its folder for links."""
    info = run.info
    for folder in (run.folder, run.folder / "weights", run.folder / "state"):
        yield from _named(folder, f".*{files.TEMPORARY}", TEMPORARY)
    lost = info.get("search") == "lost"
    if info["status"] != "done" and not lost:
        return
    for pattern in _SAVES:
        yield from _named(run.folder / "state", pattern, STATE)
    if lost:
        yield from _named(run.folder / "weights", "*.safetensors", LOST)
    elif _are_equal(run):
        yield Surplus(run.last(), EQUAL, _gain(run.last()))


def _named(folder: Path, pattern: str, kind: str) -> Iterator[Surplus]:
    for path in sorted(folder.glob(pattern)):
        if path.is_file() and not path.is_symlink():
            yield Surplus(path, kind, _gain(path))


def _are_equal(run: Run) -> bool:
    """Return whether `best` and `last` are two files with the same bytes."""
    best, last = run.best(), run.last()
    if not all(path.is_file() and not path.is_symlink() for path in (best, last)):
        return False
    try:
        return not best.samefile(last) and filecmp.cmp(best, last, shallow=False)
    except OSError:  # deleted meanwhile
        return False


def _gain(path: Path) -> int:
    about = path.stat()
    return about.st_size if about.st_nlink == 1 else 0
