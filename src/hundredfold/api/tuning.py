"""Search good options of a recipe, and compare the winner with the untuned recipe."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from hundredfold import data, displays, files, locks, recipes, run, studies
from hundredfold.api import images
from hundredfold.api.options import home, path, recipe_changes, trusted, with_values
from hundredfold.api.studying import Study, place
from hundredfold.api.tune_options import TuneOptions
from hundredfold.compute import torchrun
from hundredfold.data import Source
from hundredfold.errors import Interrupted, UsageError
from hundredfold.events import Display, shown_progress
from hundredfold.executors import Executor, choose
from hundredfold.recipe import Recipe
from hundredfold.run import reading
from hundredfold.spec import OwnFiles
from hundredfold.studies import plan as plans
from hundredfold.studies.plan import Plan
from hundredfold.studies.search import ending, record, times
from hundredfold.studies.search.allowance import Limits
from hundredfold.studies.search.ending import UNTUNED, Variants
from hundredfold.studies.search.importance import importances
from hundredfold.studies.search.journal import Journal, optuna, rungs
from hundredfold.studies.search.record import Record
from hundredfold.studies.search.runner import Search
from hundredfold.studies.search.space import Dimension, applied, current, default_space
from hundredfold.studies.search.space_file import read_space
from hundredfold.studies.search.trials import Trials

__all__ = ["Tuning", "carry_out", "choose", "place", "prepare", "result", "tune"]

_ELSEWHERE = 16  # trials at once on a cluster: with more, the search learns too little from each
_JOURNAL, _LOCK = "search.journal", ".search.lock"
_OWN = ("weights", "seed", "fold", "folds")  # fields of a recipe that mean another thing here


@dataclass(frozen=True)
class Tuning:
    """A search that can be carried out, from the start or where it stopped.

    base: the untuned recipe, as the user wrote it. seconds, trials: its bounds. settings: options
    of every training. weights: path of the weights from which trainings start. jobs: trainings at
    once on this machine. elsewhere: whether they run on a cluster.
    """

    name: str
    out: Path
    base: Recipe
    source: Source
    space: tuple[Dimension, ...]
    seconds: float | None
    trials: int | None
    settings: list[Any]
    weights: Path | None
    jobs: int
    elsewhere: bool

    @property
    def folder(self) -> Path:
        return self.out / self.name

    def plan(self, variants: Variants, seeds: int) -> Plan:
        """Return the plan of a study of variants of the untuned recipe."""
        study = studies.define(
            {
                "name": self.name,
                "title": self.base.title or f"{self.name}",
                "base": self.base,
                "vary": {label: dict(values) for label, values in variants.items()},
                "seeds": seeds,
            }
        )
        return plans.make(
            study, {}, self.source, self.out, self.settings,
            weights=self.weights, elsewhere=self.elsewhere,
        )  # fmt: skip


def tune(recipe: str = "", /, **options: Unpack[TuneOptions]) -> Study:
    """Search good options of a recipe; return the study that compares the winner with it.

    recipe: one that ships, or a .toml file; "" is Keras' defaults, as in `train`.
    options: recipe fields of every trial, and those of `TuneOptions`; `budget="2h"`, or
        `trials=30`, or both bound the search.

    The first trial is the recipe itself. Trials that are worse than others at the same epoch are
    stopped early. The winner is trained again with seeds that chose nothing, beside the recipe.
    The study's page says which is better, or that they are not distinguishable, and by how much
    the search's own score was too good. Only validation images are used; the test split is not
    read. Its folder has the winner as `tuned.toml`.

    The same call goes on where an earlier one stopped, and trains nothing twice.

    Raises UsageError for an invalid space or option, for another search of the same name, and for
    a budget that is too short. Raises MissingError without the extra `tune`. Raises CheckError
    where no trial can be finished, and Interrupted after a signal, once every state is saved.
    """
    display = displays.choose(options.get("progress", "auto"))
    executor = choose(place(_with_study(options)))
    tuning = prepare(recipe, options)
    try:
        with shown_progress(display is not None):
            carry_out(tuning, executor, display)
    except Interrupted as error:
        error.remedy = "make the same call to resume"
        raise
    return Study(tuning.folder, trusted=tuning.base.trusted)


def _with_study(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that say where trainings run."""
    keys = ("cluster", "jobs", "cpus_per_run", "gpus_per_run", "shared", "insecure")
    return {key: options[key] for key in keys if key in options}


def prepare(name: str, options: Mapping[str, Any]) -> Tuning:
    """Return a search as its options ask for it; nothing is trained or written."""
    keywords = with_values(options, TuneOptions)
    torchrun.refuse("a search")
    if not keywords.get("budget") and "trials" not in keywords:
        raise UsageError("a search needs a bound", remedy="--budget 2h, --trials 30, or both")
    where = place(_with_study(options))
    base, source = _base(name, keywords)
    _need_search(base)
    space = keywords.get("space")
    dimensions = read_space(Path(home(space)), base) if space is not None else default_space(base)
    if not dimensions:
        raise UsageError("nothing of this recipe varies by default", remedy="--space FILE.toml")
    optuna()
    with_data = source.images or source.folder
    settings = plans.options(
        with_data if "data" in keywords else path(keywords.get("data_dir")),
        keywords.get("device", "auto"),
        keywords.get("threads", 0) or where.threads,
        where.jobs,
    )
    return Tuning(
        keywords.get("name") or f"tune-{Path(name).stem or base.model.name}",
        Path(home(keywords.get("out", run.RUNS))),
        base,
        source,
        dimensions,
        _seconds(keywords.get("budget")),
        keywords.get("trials"),
        settings,
        path(keywords.get("weights")),
        where.jobs,
        bool(where.cluster),
    )


def _base(name: str, keywords: Mapping[str, Any]) -> tuple[Recipe, Source]:
    """Return the untuned recipe, with its changes of this call, and the source of its data."""
    source = images.source_in(keywords.get("data_dir"))
    for key in ("seed", "fold", "folds"):
        if key in keywords:
            raise UsageError(f"a search sets the {key} itself", remedy=f"the same without --{key}")
    changes = recipe_changes({k: v for k, v in keywords.items() if k not in _OWN})
    if "data" in keywords:
        if not isinstance(keywords["data"], str | os.PathLike):
            raise UsageError(
                "a search trains in separate processes, which cannot see images in Python",
                remedy="a folder of images, or the name of a data set",
            )
        changes["data"], source = images.resolve_data(keywords["data"], source)
    base = recipes.load(home(name), trusted(keywords.get("trust"))) if name else Recipe()
    return base.override(changes, keywords.get("set") or (), OwnFiles(trusted=None)), source


def _need_search(base: Recipe) -> None:
    """Raise UsageError for a recipe whose trials could not be compared."""
    if base.folds:
        raise UsageError("a search does not cross-validate", remedy="folds = 0 in the recipe")
    if not base.validation:
        raise UsageError(
            "a search compares trials on validation images, and validation = 0",
            remedy="validation = 0.1 in the recipe",
        )
    if base.epochs <= 0:
        raise UsageError("a search needs trials of some epochs, and epochs = 0")


def _seconds(budget: str | None) -> float | None:
    if not budget:
        return None
    from hundredfold.planner import parse_duration  # loads torch, which `tune --help` does without

    return parse_duration(budget)


def carry_out(tuning: Tuning, executor: Executor, display: Display | None) -> dict[str, Any]:
    """Search, compare, write the page; return what was found, as in search.json.

    A search that is done is not repeated. Raises what `tune` says.
    """
    folder = tuning.folder
    plan = tuning.plan({UNTUNED: {}}, times.SEEDS)
    folder.mkdir(parents=True, exist_ok=True)
    run.plain.need_own(folder)
    with _alone(folder), files.temporary_folder() as scratch:
        trials = Trials(plan, scratch)
        base = trials.untuned.recipe
        notes = record.opened(
            folder, _asked(tuning, plan, base), _about(tuning, base), here=not tuning.elsewhere
        )
        if notes.status != "done":
            _carry_out(tuning, trials, notes, executor, display)
    return result(folder)


def _carry_out(
    tuning: Tuning, trials: Trials, notes: Record, executor: Executor, display: Display | None
) -> None:
    base, at = trials.untuned.recipe, rungs(trials.untuned.recipe.epochs)
    first = {d.option: current(base, d.option) for d in tuning.space}
    journal = Journal(tuning.folder / _JOURNAL, tuning.space, first, at, tuning.trials)
    notes.write(journal.trials())
    limits = Limits(
        tuning.seconds,
        tuning.trials,
        1 if tuning.elsewhere else tuning.jobs,
        _ELSEWHERE if tuning.elsewhere else tuning.jobs,
    )
    search = Search(journal, trials, notes, limits, at, display)
    if notes.status == "searching":
        search.run(executor)
        notes.status, notes.seeds = "comparing", _seeds(search, tuning.seconds)
        notes.take(importances(journal.trials(), tuning.space))
        notes.write(journal.trials())
    winner = journal.best()
    assert winner is not None, "a search that ends has a winner"
    ending.conclude(winner, trials, notes, tuning.plan, executor, display)


def _seeds(search: Search, budget: float | None) -> int:
    """Return the number of fresh seeds of the comparison: what fits in the rest of the budget."""
    known = search.allowance.cost()
    if budget is None or known is None:
        return times.SEEDS
    return times.seeds(budget - search.record.spent, known[0], search.limits.slots)


def result(folder: Path) -> dict[str, Any]:
    """Return what a finished search found: its winner, scores and sentences."""
    stored = reading.search(folder)
    found = dict(stored["result"])
    winner = next(t for t in stored["trials"] if t["number"] == found["winner"])
    return found | {
        "values": winner["values"],
        "untuned": stored["untuned"],
        "trials": len(stored["trials"]),
        "seconds": stored["spent"],
        "recipe": str(folder / ending.RECIPE),
    }


def _asked(tuning: Tuning, plan: Plan, base: Recipe) -> dict[str, Any]:
    """Return what a search may not change while it goes on, as JSON has it."""
    asked = {
        "recipe": applied(base, {}).override({"seed": 0}).digest[:12],
        "data": data.load(base.data, plan.source).digest[:12],
        "space": [dimension.to_json() for dimension in tuning.space],
        "trials": tuning.trials,
        "budget": tuning.seconds,
    }
    again: dict[str, Any] = json.loads(json.dumps(asked))
    return again


def _about(tuning: Tuning, base: Recipe) -> dict[str, Any]:
    return {
        "epochs": base.epochs,
        "rungs": list(rungs(base.epochs)),
        "space": [dimension.to_json() for dimension in tuning.space],
        "untuned": {d.option: current(base, d.option) for d in tuning.space},
    }


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a search; raise UsageError where another process carries it out."""
    with (folder / _LOCK).open("a") as file:
        try:
            with locks.exclusive(file, wait=False):
                yield
        except BlockingIOError:
            raise UsageError(
                f"another process carries out the search {folder.name!r}", remedy="another --name"
            ) from None
