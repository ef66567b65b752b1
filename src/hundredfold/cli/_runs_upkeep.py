"""`hundredfold runs rm` and `hundredfold runs prune`: delete runs, or what they do not need."""

import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from hundredfold import machine, wording
from hundredfold.api import housekeeping
from hundredfold.api.housekeeping import Pruned
from hundredfold.cli._table import table
from hundredfold.errors import UsageError


def rm(
    names: list[str], /, *, out: Path = Path("runs"), yes: bool = False, json: bool = False
) -> dict[str, Any]:
    """Delete runs with all that is in their folders, after a question.

    A run that is being written is refused, and so is a folder that is not a run.

    Parameters
    ----------
    names
        Runs, by name or folder, or "latest".
    out
        The folder of the runs.
    yes
        Ask nothing.
    json
        Print one JSON object; needs --yes.
    """
    runs = housekeeping.removable(names, out)
    folders = [str(run.folder) for run in runs]
    size = sum(run.bytes for run in runs)
    what = f"{wording.plural(len(runs), 'run')}, {wording.memory(size)}"
    if not yes and not _agreed(what, folders, json):
        sys.stdout.write("nothing was deleted\n")
        return {"deleted": [], "bytes": 0}
    housekeeping.remove(runs)
    if not json:
        sys.stdout.write(f"deleted {what}\n")
    return {"deleted": folders, "bytes": size}


def _agreed(what: str, folders: list[str], json: bool) -> bool:
    """Ask whether to delete. Raises UsageError where nobody can answer."""
    if json or not machine.is_terminal(sys.stdin):
        raise UsageError(
            f"nothing was deleted: nobody was asked about {what}", remedy="the same with --yes"
        )
    sys.stdout.write("".join(f"{folder}\n" for folder in folders))
    sys.stdout.write(f"delete {what}? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def prune(*, out: Path = Path("runs"), yes: bool = False, json: bool = False) -> dict[str, Any]:
    """List what finished runs no longer need, and delete it with --yes.

    That is the state for --resume of finished runs, temporary files of killed commands, the second
    copy of equal weights (both names stay), and the weights of runs that lost a search. Runs that
    are being written or damaged are left alone.

    Parameters
    ----------
    out
        The folder of the runs.
    yes
        Delete it; without, nothing is changed.
    json
        Print one JSON object.
    """
    found = housekeeping.prune(out, delete=yes)
    if not json:
        _say(found, out)
    return {"out": str(out), **found.to_json()}


def _say(found: Pruned, out: Path) -> None:
    rows = []
    for name, files in found.runs.items():
        for kind, group in groupby(files, key=lambda each: each.kind):
            several = list(group)
            size = sum(each.bytes for each in several)
            rows.append((name, kind, str(len(several)), wording.memory(size)))
    if rows:
        sys.stdout.write(table(("run", "what", "files", "size"), rows, left=2))
    for name, reason in found.passed_over.items():
        sys.stdout.write(f"passed over {name}: {reason}\n")
    total = wording.memory(found.bytes)
    if not rows:
        sys.stdout.write(f"the runs in {out} hold nothing that they do not need\n")
    elif found.deleted:
        sys.stdout.write(f"{total} freed\n")
    else:
        sys.stdout.write(f"{total} would be freed: hundredfold runs prune --yes\n")
