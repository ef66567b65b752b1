"""Find runs by name, by folder, or the newest."""

from pathlib import Path

from hundredfold.errors import DataError, UsageError, did_you_mean
from hundredfold.run._folder import LATEST, RUNS, Run


def open_run(text: str, out: Path = RUNS) -> Run:
    """Open a run by its folder, by its name in `out`, or as "latest".

    Where `latest` is not a link, as in a copy of the folder, the newest run is opened. Raises
    UsageError with "did you mean" where there is no such run.
    """
    if text == LATEST and not (out / LATEST).is_symlink() and (newest := _newest(out)):
        return newest
    for folder in (Path(text), out / text):
        if (folder / "recipe.toml").is_file():
            return Run(folder)
    names = [run.name for run in all_runs(out)]
    raise UsageError(
        f"there is no run {text!r}",
        found=f"{len(names)} runs in {str(out)!r}",
        remedy=did_you_mean(Path(text).name, names) if names else "hundredfold train",
    )


def all_runs(out: Path = RUNS) -> list[Run]:
    """Return the runs in a folder, sorted by name."""
    folders = sorted(f for f in out.iterdir() if f.name[0] != ".") if out.is_dir() else []
    return [Run(f) for f in folders if _is_run(f)]


def _is_run(folder: Path) -> bool:
    """Return whether a folder is a run; one named latest is a copy of another run."""
    own = folder.name != LATEST and not folder.is_symlink()
    return own and (folder / "recipe.toml").is_file()


def _newest(out: Path) -> Run | None:
    return max(all_runs(out), key=_begin, default=None)


def _begin(run: Run) -> tuple[str, float]:
    """Return the start of a run in run.json (to the second), and the time of its recipe.toml."""
    try:
        started = str(run.info.get("started", ""))
    except DataError:
        started = ""
    return started, (run.folder / "recipe.toml").stat().st_mtime
