"""Delete runs that a user names: nothing that is no run, and none that is being written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hundredfold import locks
from hundredfold.errors import DataError, UsageError
from hundredfold.run import plain
from hundredfold.run._create import remove
from hundredfold.run._find import is_run, open_run
from hundredfold.run._folder import RUNS, Run

_FILES = ("recipe.toml", "run.json")


def removable(text: str, out: Path = RUNS) -> Run:
    """Return the run of a name or folder that may be deleted.

    Raises UsageError where there is no such run, where the folder is not one that training made,
    where it holds another run or the current folder, and where a process writes it.
    """
    run = Run(open_run(text, out).folder.resolve())  # `latest` is a link beside its run
    if found := _no_run(run.folder):
        raise UsageError(
            f"{str(run.folder)!r} is not a run that training made, so it is not deleted",
            found=found,
            remedy="delete it yourself if you are sure",
        )
    if run.is_written:
        raise _is_written(run)
    return run


def delete(run: Run) -> None:
    """Delete a run's folder, and `latest` if it pointed there. Raises what `removable` raises."""
    removable(str(run.folder))
    with _unwritten(run):
        remove(run)


def _no_run(folder: Path) -> str:
    """Return what is wrong with a folder as a run; "" for nothing."""
    for name in _FILES:
        if not (folder / name).is_file() or (folder / name).is_symlink():
            return f"it has no file {name}"
    if not (folder / "weights").is_dir():
        return "it has no folder weights"
    if Path.cwd().is_relative_to(folder):
        return "the current folder lies in it"
    with os.scandir(folder) as entries:
        inner = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    runs = [name for name in inner if is_run(folder / name)]
    return f"it holds the run {runs[0]!r}" if runs else ""


@contextmanager
def _unwritten(run: Run) -> Iterator[None]:
    """Hold the lock of the only writer, also in a folder with links, which has no writer."""
    try:
        lock = plain.need_file(run.folder, ".lock")
    except DataError:
        yield
        return
    with lock.open("a") as file:
        try:
            with locks.exclusive(file, wait=False):
                yield
        except BlockingIOError:
            raise _is_written(run) from None


def _is_written(run: Run) -> UsageError:
    return UsageError(
        f"the run {str(run.folder)!r} is being written, so it is not deleted",
        remedy="wait for its end, or stop the training first",
    )
