"""plan.json of a study: its trainings from the start on, so that it can be watched."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hundredfold import files, locks
from hundredfold.run import plain
from hundredfold.run.standing import writer
from hundredfold.studies.plan import Plan


@contextmanager
def recorded(plan: Plan) -> Iterator[None]:
    """Write plan.json of a study within the block: "running", then "done" or "stopped".

    The lock of its folder tells that the command runs; a second command of it has none.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    plain.need_own(plan.folder)
    facts = _facts(plan)
    with (plan.folder / ".lock").open("a") as file, ExitStack() as held:
        with suppress(BlockingIOError):
            held.enter_context(locks.exclusive(file, wait=False))
        _write(plan.folder, facts | {"status": "running", "writer": writer()})
        try:
            yield
        except BaseException:
            with suppress(OSError):
                _write(plan.folder, facts | {"status": "stopped"})
            raise
        _write(plan.folder, facts | {"status": "done"})


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
