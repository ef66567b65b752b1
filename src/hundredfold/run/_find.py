"""Find runs by name, by folder, or the newest."""

import os
from pathlib import Path

from hundredfold.errors import DataError, UsageError, did_you_mean
from hundredfold.run._folder import LATEST, RUNS, Run


def open_run(text: str, out: Path = RUNS) -> Run:
    """Open a run by its folder, by its name in `out`, or as "latest".

    Where `latest` is not a link, as in a copy of the folder, the newest run is opened. Raises
    UsageError with "did you mean" where there is no such run, and for a link that leads elsewhere.
    """
    if text == LATEST and not (out / LATEST).is_symlink() and (newest := _newest(out)):
        return newest
    for folder in (Path(text), out / text):
        if is_run(folder):
            _need_inside(folder)
            return Run(folder)
    names = [run.name for run in all_runs(out)]
    raise UsageError(
        f"there is no run {text!r}",
        found=f"{len(names)} runs in {str(out)!r}",
        remedy=did_you_mean(Path(text).name, names) if names else "hundredfold train",
    )


def _need_inside(folder: Path) -> None:
    """Raise UsageError where a run is a link to a folder that does not lie beside it."""
    target = folder.resolve()
    if folder.is_symlink() and target.parent != folder.parent.resolve():
        raise UsageError(
            f"{str(folder)!r} is a link to a run elsewhere",
            found=f"it leads to {str(target)!r}",
            remedy="name that folder, if you trust it",
        )


def all_runs(out: Path = RUNS) -> list[Run]:
    """Return the runs in a folder, sorted by name."""
    folders = sorted(f for f in out.iterdir() if f.name[0] != ".") if out.is_dir() else []
    own = (f for f in folders if f.name != LATEST and not f.is_symlink())  # latest may be a copy
    return [Run(folder) for folder in own if is_run(folder)]


def is_run(folder: Path) -> bool:
    """Return whether a folder is a run, damaged or not: it has a recipe or a record."""
    return any(os.path.lexists(folder / name) for name in ("recipe.toml", "run.json"))


def _newest(out: Path) -> Run | None:
    return max(all_runs(out), key=_begin, default=None)


def _begin(run: Run) -> tuple[str, float]:
    """Return the start of a run in run.json (to the second), and the time of its folder."""
    try:
        started = str(run.info.get("started", ""))
    except DataError:
        started = ""
    return started, run.folder.stat().st_mtime
