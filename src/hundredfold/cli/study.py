"""`hundredfold study`: train what is missing, compare, and write the page."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from hundredfold import reports, run
from hundredfold import studies as studies
from hundredfold.cli._words import say_estimate, say_plan, say_result, standing, trained
from hundredfold.data import Source
from hundredfold.errors import CheckError, Interrupted
from hundredfold.recipe import QUICK
from hundredfold.run import Run
from hundredfold.studies import LeftOut, Member
from hundredfold.studies import plan as plans
from hundredfold.studies.plan import Plan
from hundredfold.studies.processes import Children, Outcome


def study(
    name: Annotated[str, Parameter(name="study", allow_leading_hyphen=False)],
    /,
    *,
    seeds: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    jobs: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    data_dir: Path | None = None,
    weights: Path | None = None,
    out: Path = run.RUNS,
    device: str = "auto",
    threads: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    quick: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Train what a study lacks, compare over seeds, and write its report.

    Runs that are there already, with the same recipe and the same data, are not trained
    again; interrupted ones go on where they stood. The test split stays closed.

    Parameters
    ----------
    name
        A study that ships (see `hundredfold recipes`) or a .toml file.
    seeds
        Train each variant with this many seeds instead of the study's.
    jobs
        Runs side by side; they share the threads.
    data_dir
        Where the data set lies, if not in the cache.
    weights
        A folder with the weights that transfers begin with, or a file where they share one.
    out
        The folder in which runs and the study are made.
    device
        auto, cpu, cuda, cuda:1 or mps.
    threads
        Threads to compute with, all runs together; 0 takes every core.
    quick
        Two epochs on 2,048 images, to see that everything works.
    dry_run
        Say what would be trained, how long it would take and how much disk; write nothing.
    json
        Print one JSON object.
    """
    source = Source(folder=data_dir) if data_dir else Source()
    what = studies.load(name)
    changes = {"seeds": seeds or what.seeds, "name": f"{what.name}-quick" if quick else what.name}
    what = what.model_copy(update=changes)
    options = plans.options(data_dir, device, threads, jobs)
    plan = plans.make(what, QUICK if quick else {}, source, out, options, weights)
    if not json:
        say_plan(plan)
    if dry_run:
        cost: dict[str, Any] = plans.estimate(plan, jobs)
        if not json:
            say_estimate(cost)
        return cost
    try:
        failures = _train(plan, jobs, Console(stderr=True, highlight=False))
    except Interrupted as error:
        error.remedy = f"the same command goes on: hundredfold study {name}"
        raise
    left_out = [
        LeftOut(m.label, m.seed, outcome.reason, plan.place(m).name)
        for m, outcome in failures.items()
    ]
    found = studies.conclude(plan.study, plan.folder, plan.runs, left_out)
    page = _write_pages(plan)
    if not json:
        say_result(plan, found, page)
    if failures:
        raise _failed(plan, failures, page)
    return {
        "study": str(plan.folder),
        "report": str(page),
        "runs": [str(one.folder) for one in plan.runs.values()],
        **found.to_json(),
    }


def _train(plan: Plan, jobs: int, console: Console) -> dict[Member, Outcome]:
    """Train what is missing; return those that failed."""
    failures: dict[Member, Outcome] = {}
    places = {member: plan.place(member) for member in plan.missing}
    with tempfile.TemporaryDirectory() as scratch, console.status("starting") as status:
        commands = {m: plan.command(m, place, Path(scratch)) for m, place in places.items()}

        def watch(running: tuple[Member, ...]) -> None:
            now = "  ".join(f"{m}: {standing(m, places[m])}" for m in running)
            status.update(f"{len(plan.done)} of {len(plan.members)} done  {now}")

        for member, outcome in Children(commands, jobs, plan.environment).outcomes(watch):
            if outcome.code:
                failures[member] = outcome
            else:
                plan.done[member] = Run(places[member])
            said = f"failed   {member}: {outcome.reason}" if outcome.code else trained(plan, member)
            console.print(said, markup=False, soft_wrap=True)
    return failures


def _write_pages(plan: Plan) -> Path:
    """Write the study's page, and those of its runs that are older than the run."""
    for one in plan.runs.values():
        page = one.folder / reports.PAGE
        newest = max(path.stat().st_mtime for path in one.folder.glob("*.json"))
        if not page.exists() or page.stat().st_mtime < newest:
            reports.write_run(one, plan.source)
    return reports.write_study(plan.folder, plan.source)


def _failed(plan: Plan, failures: dict[Member, Outcome], page: Path) -> CheckError:
    """Return one error for all members that failed, with their exit code where they agree."""
    member, outcome = next(iter(failures.items()))
    error = CheckError(
        f"{len(failures)} of {len(plan.members)} runs failed and were left out",
        found=f"{member}: {outcome.reason}",
        remedy="the same command tries them again",
        see=str(page),
    )
    codes = {outcome.code for outcome in failures.values()}
    error.exit_code = codes.pop() if len(codes) == 1 else error.exit_code
    return error
