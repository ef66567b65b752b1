"""Create a run's folder atomically, and choose its name."""

import errno
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hundredfold import files
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.run._folder import LATEST, Run

_STAGE, _RUN, _FORMER, _HOUR = ".new-", "run", "former", 3600.0
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)  # raised by a rename onto another run
_LONGEST = 100  # characters of the names of model and data set in the name of a run
_LOG = logging.getLogger(__name__)


def create(
    out: Path, name: str, recipe: Recipe, contents: Mapping[str, Mapping[str, Any]] | None = None
) -> Run:
    """Create a run's folder with its recipe, and point `latest` to it.

    contents: file name -> JSON value of further files. The folder appears with all files or not
              at all, even if the process is killed.

    Logs a warning where `latest` cannot point to the run. Raises UsageError where the name is
    taken, since a run is never overwritten, and where the folder cannot be created.
    """
    need_free(out, name)
    folder = out / name
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _stage(out) as stage:
            _furnish(stage / _RUN, recipe, contents or {})
            files.move(stage / _RUN, folder)
            _make_durable(folder)
            _point_latest(out, name, stage)
    except OSError as error:
        if error.errno in _TAKEN and folder.exists():  # another process created it meanwhile
            raise _taken(folder) from None
        raise UsageError(f"cannot create the run {str(folder)!r}", found=str(error)) from None
    return Run(folder)


def _furnish(folder: Path, recipe: Recipe, contents: Mapping[str, Mapping[str, Any]]) -> None:
    for inside in (folder, folder / "weights", folder / "state"):
        inside.mkdir()
    files.write_text(folder / "recipe.toml", recipe.toml())
    _keep_sources(folder / "source", recipe)
    for file, content in contents.items():
        files.write_json(folder / file, content)


def _keep_sources(folder: Path, recipe: Recipe) -> None:
    """Write copies of the user's own code that a recipe names."""
    for own in {part.own for part in recipe.parts if part.own and part.own.source}:
        folder.mkdir(exist_ok=True)
        name = own.file if own.file.endswith(".py") else "object.py"
        files.write_text(folder / name, own.source)


def _make_durable(folder: Path) -> None:
    try:
        files.sync_folder(folder.parent)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _point_latest(out: Path, name: str, stage: Path) -> None:
    """Point `latest` to a run; log a warning where it is a folder or links are unsupported."""
    try:
        if (out / LATEST).exists() and not (out / LATEST).is_symlink():
            raise FileExistsError(errno.EEXIST, "a file or folder has that name")
        (stage / LATEST).symlink_to(name)
        (stage / LATEST).replace(out / LATEST)
    except OSError as error:
        reason = error.strerror or error
        _LOG.warning("warning: %s cannot point to the run %r: %s", out / LATEST, name, reason)


@contextmanager
def _stage(out: Path) -> Iterator[Path]:
    """Yield a temporary folder to build a run in; remove those over an hour old."""
    for left in out.glob(f"{_STAGE}*"):
        if _is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=out))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _is_left(stage: Path) -> bool:
    """Return whether a folder is one of `_stage` over an hour old; a run of that name is not."""
    try:
        old = time.time() - stage.lstat().st_mtime > _HOUR
        own = {path.name for path in stage.iterdir()} <= {_RUN, _FORMER, LATEST}
    except OSError:  # another process removes it
        return False
    return old and own and not stage.is_symlink()


def adopt(folder: Path, fill: Callable[[Path], None]) -> Run:
    """Put a run that comes from another machine in place, whole or not at all.

    folder: of the run; an unfinished run that is there is replaced.
    fill:   writes the run into the folder that it gets.

    Raises UsageError where the folder cannot be written or the run there is finished.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _stage(folder.parent) as stage:
            fill(stage / _RUN)
            if folder.exists():
                _need_unfinished(folder)
                files.move(folder, stage / _FORMER)
            files.move(stage / _RUN, folder)
            _make_durable(folder)
            _point_latest(folder.parent, folder.name, stage)
    except OSError as error:
        raise UsageError(f"cannot write the run {str(folder)!r}", found=str(error)) from None
    return Run(folder)


def _need_unfinished(folder: Path) -> None:
    if Run(folder).info["status"] == "done":
        raise _taken(folder)


def remove(run: Run) -> None:
    """Delete a run's folder with all that is in it, and `latest` if it pointed there.

    The folder disappears from the runs at once; a kill leaves files that `create` deletes later.
    Links within are deleted, and never what they lead to.
    """
    out, folder = run.folder.parent, run.folder
    with _stage(out) as stage:
        with suppress(OSError):  # a disk that cannot rename folders: delete it where it is
            folder = folder.replace(stage / _RUN)
        shutil.rmtree(folder)
    latest = out / LATEST
    if latest.is_symlink() and not latest.exists():
        latest.unlink(missing_ok=True)


def rename(run: Run, name: str) -> Run:
    """Give a run another name, and point `latest` to it. Raises UsageError for a taken name."""
    out = run.folder.parent
    if name != run.folder.name:
        need_free(out, name)
        folder = out / name
        files.move(run.folder, folder)
        files.write_json(folder / "run.json", Run(folder).info | {"name": name})
        run = Run(folder, run.trusted, run.model)
    with _stage(out) as stage:
        _point_latest(out, name, stage)
    return run


def need_free(out: Path, name: str) -> None:
    """Raise UsageError where a run's name is taken or invalid."""
    legal = re.fullmatch(r"[^/\\\x00-\x1f]{1,200}", name) and len(os.fsencode(name)) <= 255
    if not legal or name.startswith(".") or name == LATEST:
        raise UsageError(f"{name!r} is not a name for a run", remedy="letters, digits, - and _")
    if os.path.lexists(out / name):
        raise _taken(out / name)


def _taken(folder: Path) -> UsageError:
    return UsageError(
        f"the run {str(folder)!r} exists, and a run is never overwritten",
        remedy=f"--name OTHER for a new run, or --resume {folder} to continue",
    )


def default_name(recipe: Recipe, data_name: str) -> str:
    """Return <model>-<data>-<first 12 hex digits of the recipe's digest>."""
    model = recipe.model.name.replace("_", "-")[:_LONGEST]
    data = re.sub(r"[^A-Za-z0-9._-]+", "-", data_name).strip("-.")[:_LONGEST] or "data"
    return f"{model}-{data}-{recipe.digest[:12]}"
