"""What a study has and lacks on this machine, and the commands that train the rest."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold import data, run, studies
from hundredfold.data import Source
from hundredfold.errors import CheckError, MissingError, UsageError
from hundredfold.machine import cores
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.spec import OwnFiles
from hundredfold.studies import Member, Study
from hundredfold.studies.processes import Children


@dataclass
class Plan:
    """A study's members with the runs they have; `done` grows while the others are trained.

    names: a recipe's data -> the name of that data set.
    options: what every training gets on its command line.
    weights: where those lie that variants begin with, if it was said.
    bundled: those of the recipes' data that read no folder.
    """

    study: Study
    folder: Path
    source: Source
    members: list[Member]
    names: Mapping[str, str]
    done: dict[Member, Run]
    begun: dict[Member, Run]
    options: list[str]
    weights: Path | None = None
    bundled: frozenset[str] = frozenset()

    @property
    def trusted(self) -> frozenset[str]:
        """SHA-256 of the user's own code that may run."""
        return frozenset(digest for m in self.members for digest in m.recipe.trusted)

    @property
    def environment(self) -> dict[str, str]:
        """What every training gets in its environment: where weights lie, if it was said."""
        return {"HUNDREDFOLD_WEIGHTS": str(self.weights)} if self.weights else {}

    @property
    def missing(self) -> list[Member]:
        return [member for member in self.members if member not in self.done]

    @property
    def runs(self) -> dict[Member, Run]:
        """The finished runs in the order of the members."""
        return {member: self.done[member] for member in self.members if member in self.done}

    def place(self, member: Member) -> Path:
        """Return the folder of a member's run, or the one that it will get."""
        if member in self.done or member in self.begun:
            return (self.begun | self.done)[member].folder
        out = self.folder.parent
        name = run.default_name(member.recipe, self.names[str(member.recipe.data)])
        number, free = 1, out / name
        while free.exists():  # a run of this recipe on other data, or a damaged one
            number, free = number + 1, out / f"{name}-{number + 1}"
        return free

    def command(self, member: Member, place: Path, scratch: Path) -> list[str]:
        """Return the arguments that train a member, its recipe written to `scratch`."""
        options = self.options
        if str(member.recipe.data) in self.bundled:
            options = _without("--data-dir", options)
        folder = scratch / place.name
        trust = _written(member.recipe, folder / "source")
        if member in self.begun:
            return ["train", "--resume", str(place), *trust, *options]
        recipe = folder / f"{place.name}.toml"
        recipe.write_text(member.recipe.toml(), encoding="utf-8")
        named = ["--out", str(place.parent), "--name", place.name]
        return ["train", str(recipe), *named, *trust, *options]


def _written(recipe: Recipe, folder: Path) -> list[str]:
    """Write the user's own code beside a recipe; return the options that let it run."""
    folder.mkdir(parents=True, exist_ok=True)
    trust: list[str] = []
    for own in (part.own for part in recipe.parts if part.own):
        if not own.source or not own.file.endswith(".py"):
            raise UsageError(
                "a study trains in processes of their own, which cannot see an object in Python",
                remedy="a function or class that a .py file defines",
            )
        (folder / own.file).write_text(own.source, encoding="utf-8")
        trust += ["--trust", str(folder / own.file)] if own.trusted else []
    return trust


def make(
    what: Study,
    changes: Mapping[str, Any],
    source: Source,
    out: Path,
    options: list[str],
    *,
    weights: Path | None = None,
    files: OwnFiles | None = None,
) -> Plan:
    """Compare what a study wants with what lies in `out`; opens training data for digests.

    changes: fields that win over the study's. weights: where those lie that variants begin with.
    files: where code of a user's own lies, and which of it may run. Raises UsageError or DataError.
    """
    folder = out / what.name
    if (folder / "recipe.toml").exists():
        raise UsageError(
            f"{str(folder)!r} is a run, so the study {what.name!r} cannot be written there",
            remedy="another --out, or another name for the study's file",
        )
    variants = studies.variants(what, changes, files)
    pinned = {label: _pinned(one, weights, source) for label, one in variants.items()}
    members = studies.members(pinned, what.seeds)
    sets = {str(m.recipe.data): data.load(m.recipe.data, source) for m in members}
    bundled = frozenset(text for text, one in sets.items() if one.bundled)
    if len(bundled) == len(sets):  # else the folder is for the others
        data.refuse_folder(next(iter(sets.values())), source)
    done, begun = studies.find(members, out, {text: one.digest for text, one in sets.items()})
    names = {text: one.name for text, one in sets.items()}
    return Plan(what, folder, source, members, names, done, begun, options, weights, bundled)


def _without(option: str, options: list[str]) -> list[str]:
    """Return options without one of them and its value."""
    if option not in options:
        return options
    place = options.index(option)
    return options[:place] + options[place + 2 :]


def _pinned(recipe: Recipe, weights: Path | None, source: Source) -> Recipe:
    """Return a recipe with its weights pinned; without them, training will say so."""
    from hundredfold.engines import engine_for  # loads torch, which `study --help` does without

    try:
        return engine_for(recipe).resolve_weights(recipe, source, weights)[0]
    except MissingError:
        return recipe


def estimate(plan: Plan, jobs: int) -> dict[str, Any]:
    """Measure some steps of each variant in a process of its own; return seconds and bytes.

    What is left of unfinished runs is not counted.
    """
    fresh = [member for member in plan.missing if member not in plan.begun]
    first = {member.label: member for member in reversed(fresh)}
    with tempfile.TemporaryDirectory() as scratch:
        commands = {
            label: [*plan.command(member, plan.place(member), Path(scratch)), "--dry-run"]
            for label, member in first.items()
        }
        measured = dict(Children(commands, 1, plan.environment).outcomes(lambda _: None))
    for label, outcome in measured.items():
        if outcome.code:
            error = CheckError(f"{label} cannot be trained", found=outcome.reason)
            error.exit_code = outcome.code
            raise error
    seconds = sum(measured[m.label].result["seconds"] for m in fresh) / jobs
    size = sum(measured[m.label].result["bytes"] for m in fresh)
    return {
        "study": str(plan.folder),
        "finished": [str(one.folder) for one in plan.runs.values()],
        "unfinished": [str(one.folder) for one in plan.begun.values()],
        "missing": [str(plan.place(member)) for member in fresh],
        "seconds": round(seconds, 1),
        "bytes": size,
    }


def options(data_dir: Path | None, device: str, threads: int, jobs: int) -> list[str]:
    """Return what every training gets: runs side by side share the threads."""
    found = ["--device", device, "--json"]
    if data_dir:
        found += ["--data-dir", str(data_dir)]
    if jobs > 1:
        threads = max(1, (threads or cores()) // jobs)
    return [*found, "--threads", str(threads)] if threads else found
