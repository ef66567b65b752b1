"""`hundredfold study`: train what is missing, compare, and write the page."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from hundredfold.api import studying
from hundredfold.cli._study_words import say_estimate, say_plan, say_result
from hundredfold.displays import Terminal
from hundredfold.errors import Interrupted


def study(
    name: Annotated[str, Parameter(name="study", allow_leading_hyphen=False)],
    /,
    *,
    seeds: Annotated[
        int | None, Parameter(validator=Number(gte=1), show_default="the study's")
    ] = None,
    jobs: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    data_dir: Annotated[Path | None, Parameter(show_default="none")] = None,
    weights: Annotated[Path | None, Parameter(show_default="none")] = None,
    out: Path = Path("runs"),
    device: str = "auto",
    threads: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    trust: Annotated[list[Path] | None, Parameter(negative="", show_default="none")] = None,
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
        Runs that train concurrently; they share the threads.
    data_dir
        Where the data set lies, if not in the cache.
    weights
        Where the weights lie that variants begin with: a folder, or one file for all.
    out
        The folder in which runs and the study are made.
    device
        auto, cpu, cuda, cuda:1 or mps.
    threads
        Threads to compute with, all runs together; 0 takes every core.
    trust
        A .py file of your own that the study names, and that may run.
    quick
        Two epochs on 2,048 images, to see that everything works.
    dry_run
        Say what would be trained, how long it would take and how much disk; write nothing.
    json
        Print one JSON object.
    """
    given = {"seeds": seeds, "jobs": jobs, "data_dir": data_dir, "weights": weights, "out": out,
             "device": device, "threads": threads, "quick": quick, "trust": trust}  # fmt: skip
    plan = studying.prepare(name, given)
    if not json:
        say_plan(plan)
    return _estimate(plan, jobs, json) if dry_run else _carry_out(name, plan, jobs, json)


def _estimate(plan: studying.Plan, jobs: int, json: bool) -> dict[str, Any]:
    cost = studying.estimate(plan, jobs)
    if not json:
        say_estimate(cost)
    return cost


def _carry_out(name: str, plan: studying.Plan, jobs: int, json: bool) -> dict[str, Any]:
    try:
        result = studying.carry_out(plan, jobs, Terminal(sys.stderr))
    except Interrupted as error:
        error.remedy = f"the same command goes on: hundredfold study {name}"
        raise
    if not json:
        say_result(plan, result)
    if result.failed:
        raise result.failed
    runs = [str(run.folder) for run in plan.runs.values()]
    facts = {"study": str(plan.folder), "report": str(result.page), "runs": runs}
    return {**facts, **result.comparison.to_json()}
