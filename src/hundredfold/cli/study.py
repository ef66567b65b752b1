"""`hundredfold study`: train the missing runs, compare, and write the page."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from hundredfold.api import studying
from hundredfold.api.options import Tracker
from hundredfold.cli._place import Place
from hundredfold.cli._study_words import say_estimate, say_plan, say_result
from hundredfold.displays import Terminal
from hundredfold.errors import Interrupted


@Parameter(name="*")
@dataclass(frozen=True)
class Repeats:
    """How often each variant is trained."""

    seeds: Annotated[
        int | None,
        Parameter(
            show_default="the study's",
            help="Number of seeds per variant, instead of the study's.",
        ),
    ] = None
    folds: Annotated[
        int | None,
        Parameter(
            show_default="the study's",
            help="Folds of cross-validation for few images: every training image is scored once, "
            "by as many trainings per seed. 0 is off.",
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Where(Place):
    """Where the trainings run, and where they are logged."""

    log: Annotated[
        list[Tracker] | None,
        Parameter(
            negative="",
            show_default="none",
            help="Log every training to an experiment tracker too; may be given several times.",
        ),
    ] = None


_AS_DEFINED, _HERE = Repeats(), Where()


def study(
    name: Annotated[str, Parameter(name="study", allow_leading_hyphen=False)],
    /,
    *,
    repeats: Repeats = _AS_DEFINED,
    where: Where = _HERE,
    data_dir: Annotated[Path | None, Parameter(show_default="none")] = None,
    weights: Annotated[Path | None, Parameter(show_default="none")] = None,
    out: Path = Path("runs"),
    device: str = "auto",
    threads: int = 0,
    trust: Annotated[list[Path] | None, Parameter(negative="", show_default="none")] = None,
    quick: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Train the missing runs of a study, compare over seeds, and write its report.

    Finished runs with the same recipe and data are not trained again; interrupted runs are
    resumed. The test split is not read.

    Parameters
    ----------
    name
        A study that ships (see `hundredfold recipes`) or a .toml file.
    data_dir
        Folder of the data set, if not in the cache.
    weights
        Weights from which variants start: a file, for the backbone it is named after, or a folder
        of such files. Variants whose weights cannot be had are left out.
    out
        The folder of the runs and the study.
    device
        auto, cpu, cuda, cuda:1 or mps.
    threads
        Threads of all runs together; 0 takes every core.
    trust
        A .py file of your own that the study names, and that may run.
    quick
        Two epochs on 2,048 images, to check that everything works.
    dry_run
        Print the missing runs, and their cost in time and disk space; train and write nothing.
        With --cluster slurm, print the scripts that would be submitted.
    json
        Print one JSON object.
    """
    options = {**asdict(repeats), **asdict(where), "data_dir": data_dir,
             "weights": weights, "out": out, "device": device, "threads": threads, "quick": quick,
             "trust": trust}  # fmt: skip
    executor = studying.choose(studying.place(options))
    plan = studying.prepare(name, options)
    if dry_run and isinstance(executor, studying.Slurm):
        return _scripts(plan, executor, json)
    if not json:
        say_plan(plan)
    return _estimate(plan, where.jobs, json) if dry_run else _carry_out(name, plan, executor, json)


def _scripts(plan: studying.Plan, executor: studying.Slurm, json: bool) -> dict[str, Any]:
    scripts = studying.slurm_scripts(plan, executor)
    if not json:
        sys.stdout.write("\n".join(scripts))
    return {"study": str(plan.folder), "scripts": scripts}


def _estimate(plan: studying.Plan, jobs: int, json: bool) -> dict[str, Any]:
    cost = studying.estimate(plan, jobs)
    if not json:
        say_estimate(cost)
    return cost


def _carry_out(
    name: str, plan: studying.Plan, executor: studying.Executor, json: bool
) -> dict[str, Any]:
    try:
        result = studying.carry_out(plan, executor, Terminal(sys.stderr))
    except Interrupted as error:
        error.remedy = f"to resume: hundredfold study {name}"
        raise
    if not json:
        say_result(plan, result)
    if result.failed:
        raise result.failed
    runs = [str(run.folder) for run in plan.runs.values()]
    left_out = [asdict(one) for one in result.left_out]
    facts = {"study": str(plan.folder), "report": str(result.page), "runs": runs,
             "left_out": left_out}  # fmt: skip
    return {**facts, **result.comparison.to_json()}
