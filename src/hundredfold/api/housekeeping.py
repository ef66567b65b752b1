"""Look after the runs in a folder: delete, free space, compare two, write the page of all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hundredfold import reports
from hundredfold import run as folders
from hundredfold.api.options import File, home
from hundredfold.errors import HundredfoldError
from hundredfold.run import removal, surplus
from hundredfold.run.surplus import Surplus
from hundredfold.studies.two_runs import TwoRuns, two_runs

__all__ = ["Pruned", "Surplus", "TwoRuns", "compare", "index", "prune", "removable", "remove"]


@dataclass(frozen=True)
class Pruned:
    """What the runs of a folder hold beyond need.

    runs: name -> the files. passed_over: name -> why a run was left alone. deleted: whether the
    files are gone.
    """

    deleted: bool
    runs: dict[str, list[Surplus]] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(each.bytes for files in self.runs.values() for each in files)

    def to_json(self) -> dict[str, Any]:
        """Return it as dictionaries and lists for JSON."""
        rows = [
            {"run": name, "file": str(each.path), "kind": each.kind, "bytes": each.bytes}
            for name, files in self.runs.items()
            for each in files
        ]
        return {
            "deleted": self.deleted,
            "bytes": self.bytes,
            "files": rows,
            "passed_over": self.passed_over,
        }


def removable(names: Iterable[File], out: File = folders.RUNS) -> list[folders.Run]:
    """Return the runs of some names or folders, each once, which may all be deleted.

    Raises UsageError where one of them is not a run or is being written; see `removal`.
    """
    found = [removal.removable(home(name), Path(home(out))) for name in names]
    return list({run.folder: run for run in found}.values())


def remove(runs: Sequence[folders.Run]) -> None:
    """Delete the folders of runs, and `latest` where it pointed to one."""
    for run in runs:
        removal.delete(run)


def prune(out: File = folders.RUNS, *, delete: bool = False) -> Pruned:
    """Return what the runs in a folder hold beyond need; delete it where `delete` is set.

    That is the state of finished runs, temporary files of killed commands, the second copy of
    equal weights (which becomes a hard link) and the weights of runs that lost a search. A run
    that is being written, that is damaged or that holds a link is passed over.
    """
    found = Pruned(delete)
    for run in folders.all_runs(Path(home(out))):
        try:
            if run.is_written:
                found.passed_over[run.name] = "it is being written"
                continue
            files = surplus.free(run) if delete and surplus.find(run) else surplus.find(run)
        except (HundredfoldError, OSError) as error:
            found.passed_over[run.name] = getattr(error, "message", None) or str(error)
            continue
        if files:
            found.runs[run.name] = files
    return found


def compare(first: File, second: File, out: File = folders.RUNS) -> TwoRuns:
    """Compare two runs by name or folder: recipes, scores, and the networks on equal images."""
    one, other = (folders.open_run(home(name), Path(home(out))) for name in (first, second))
    return two_runs(one, other)


def index(out: File = folders.RUNS, file: File | None = None) -> Path:
    """Write the page of all runs in a folder; return its path. file: OUT/index.html by default."""
    folder = Path(home(out))
    page = folder / "index.html" if file is None else Path(home(file))
    page.parent.mkdir(parents=True, exist_ok=True)
    studies = sorted(path.parent for path in folder.glob("*/study.json"))
    return reports.write_runs(folders.all_runs(folder), studies, folder, page)
