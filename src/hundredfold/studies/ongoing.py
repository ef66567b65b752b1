"""What a study that goes on leaves in its folder, so that it can be watched.

plan.json        its trainings, from the start on
progress.json    those on other machines, whose folders come here when they end
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hundredfold import files, locks
from hundredfold.errors import UsageError
from hundredfold.executors import JobProgress
from hundredfold.run import plain
from hundredfold.run.standing import writer
from hundredfold.studies.plan import Plan

_PROGRESS = "progress.json"
_EVERY = 2.0  # seconds


@contextmanager
def recorded(plan: Plan) -> Iterator[None]:
    """Write plan.json of a study within the block: "running", then "done" or "stopped".

    The lock of its folder tells that the command runs; a second command of it has none.
    """
    made = [place for place in (plan.folder, plan.folder.parent) if not place.exists()]
    plan.folder.mkdir(parents=True, exist_ok=True)
    plain.need_own(plan.folder)
    facts = _facts(plan)
    with (plan.folder / ".lock").open("a") as file, ExitStack() as held:
        with suppress(BlockingIOError):
            held.enter_context(locks.exclusive(file, wait=False))
        _write(plan.folder, facts | {"status": "running", "writer": writer()})
        try:
            yield
        except UsageError:  # such as a cluster that does not answer: nothing has begun
            _take_back(plan.folder, made, facts)
            raise
        except BaseException:
            with suppress(OSError):
                _write(plan.folder, facts | {"status": "stopped"})
            raise
        else:
            _write(plan.folder, facts | {"status": "done"})
        finally:
            (plan.folder / _PROGRESS).unlink(missing_ok=True)


class Elsewhere:
    """Writes the progress of trainings on other machines, at most every two seconds."""

    def __init__(self, folder: Path) -> None:
        self._file, self._due = folder / _PROGRESS, 0.0

    def tell(self, running: Mapping[str, tuple[JobProgress, float]]) -> None:
        """Store the progress of each run; running: its name -> progress and planned epochs."""
        far = {
            name: {"node": job.node, "epochs": epochs, "curve": list(job.curve)}
            for name, (job, epochs) in running.items()
            if job.node
        }
        if far and time.monotonic() >= self._due:
            files.write_json(self._file, far)
            self._due = time.monotonic() + _EVERY


def _take_back(folder: Path, made: list[Path], facts: dict[str, Any]) -> None:
    """Remove the folders that were made for nothing; a study that was there is "stopped"."""
    with suppress(OSError):
        if folder in made:
            for name in ("plan.json", ".lock"):
                (folder / name).unlink(missing_ok=True)
            for place in made:
                place.rmdir()  # refused where anything else lies in it
        else:
            _write(folder, facts | {"status": "stopped"})


def _facts(plan: Plan) -> dict[str, Any]:
    study = plan.study
    members = [
        {
            "run": plan.run_folder(member).name,
            "label": member.label,
            "seed": member.seed,
            **({"fold": member.recipe.fold} if member.recipe.folds else {}),
        }
        for member in plan.members
    ]
    return {
        "name": study.name,
        "title": study.title or study.name,
        "metric": study.metric,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "members": members,
    }


def _write(folder: Path, facts: dict[str, Any]) -> None:
    files.write_json(folder / "plan.json", facts)
