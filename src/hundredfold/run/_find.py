"""Runs by name, by folder, or the newest."""

from pathlib import Path

from hundredfold.errors import DataError, UsageError, did_you_mean
from hundredfold.run._folder import LATEST, RUNS, Run


def open_run(text: str, out: Path = RUNS) -> Run:
    """Open a run by its folder, by its name in `out`, or as "latest".

    Where `latest` is no link, as in a copy of the folder, the newest run is meant. Raises
    UsageError with "did you mean" where there is no such run.
    """
    if text == LATEST and not (out / LATEST).is_symlink() and (newest := _newest(out)):
        return newest
    for folder in (Path(text), out / text):
        if (folder / "recipe.toml").is_file():
            return Run(folder)
    known = [run.name for run in all_runs(out)]
    raise UsageError(
        f"there is no run {text!r}",
        found=f"{len(known)} runs in {str(out)!r}",
        remedy=did_you_mean(Path(text).name, known) if known else "hundredfold train",
    )


def all_runs(out: Path = RUNS) -> list[Run]:
    """Return the runs in a folder, by name."""
    folders = sorted(f for f in out.iterdir() if f.name[0] != ".") if out.is_dir() else []
    return [Run(f) for f in folders if _is_run(f)]


def _is_run(folder: Path) -> bool:
    """Tell whether a folder is a run; one called latest is a copy of another."""
    own = folder.name != LATEST and not folder.is_symlink()
    return own and (folder / "recipe.toml").is_file()


def _newest(out: Path) -> Run | None:
    return max(all_runs(out), key=_begin, default=None)


def _begin(run: Run) -> tuple[str, float]:
    """Return when a run began: as run.json says, to the second, then by its recipe's file."""
    try:
        started = str(run.info.get("started", ""))
    except DataError:
        started = ""
    return started, (run.folder / "recipe.toml").stat().st_mtime
