"""The plan of a study: which members have a run, and the commands that train the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hundredfold import data, files, machine, run, studies
from hundredfold.data import Source
from hundredfold.errors import CheckError, MissingError, UsageError
from hundredfold.executors import Job, Local, Outcome
from hundredfold.executors.protocol import Argument
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.spec import OwnFiles
from hundredfold.studies import LeftOut, Member, Study
from hundredfold.weights.locate import serves


@dataclass
class Plan:
    """A study's members and their runs.

    members: without those that are left out.
    folder:  the study's folder.
    names:   a recipe's data -> the name of that data set.
    done:    finished runs; grows while the missing members are trained.
    begun:   unfinished runs, which training resumes.
    options: command-line options of every training.
    weights: path of the weights from which variants start, if set.
    bundled: the data sets that read no folder, as the recipes name them.
    left_out: members without a run whose weights cannot be had, and the reason.
    elsewhere: whether runs are trained on other machines, which get what they need by its path:
    copies:    a recipe's data -> the folder or archive of a published data set.
    backbones: a label -> the file of its weights.
    choices:   a label -> precision and algorithms that its runs take on the same kind of machine.
    """

    study: Study
    folder: Path
    source: Source
    members: list[Member]
    names: Mapping[str, str]
    done: dict[Member, Run]
    begun: dict[Member, Run]
    options: list[Argument]
    weights: Path | None = None
    bundled: frozenset[str] = frozenset()
    left_out: Sequence[LeftOut] = ()
    elsewhere: bool = False
    copies: Mapping[str, Path] = field(default_factory=dict)
    backbones: Mapping[str, Path] = field(default_factory=dict)
    choices: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def trusted(self) -> frozenset[str]:
        """SHA-256 digests of the user's own code that may run."""
        return frozenset(digest for m in self.members for digest in m.recipe.trusted)

    @property
    def missing(self) -> list[Member]:
        return [member for member in self.members if member not in self.done]

    @property
    def runs(self) -> dict[Member, Run]:
        """The finished runs in the order of the members."""
        return {member: self.done[member] for member in self.members if member in self.done}

    def run_folder(self, member: Member) -> Path:
        """Return the folder of a member's run, existing or planned."""
        if member in self.done or member in self.begun:
            return (self.begun | self.done)[member].folder
        out = self.folder.parent
        name = run.default_name(member.recipe, self.names[str(member.recipe.data)])
        number, free = 1, out / name
        while free.exists():  # by a run of this recipe on other data, or a damaged run
            number, free = number + 1, out / f"{name}-{number + 1}"
        return free

    def job(self, member: Member, folder: Path, scratch: Path) -> Job:
        """Return the job that trains a member into `folder`; write its recipe to `scratch`."""
        options, text = self.options, str(member.recipe.data)
        copy = self.copies.get(text) if self.elsewhere else None
        if text in self.bundled or copy:
            options = _without("--data-dir", options)
        if copy:
            options = [*options, "--data-dir", copy]
        weights = self.backbones.get(member.label) if self.elsewhere else self.weights
        own_folder = scratch / folder.name
        environment = {"HUNDREDFOLD_WEIGHTS": weights} if weights else {}
        table = self.source.folder
        trust = _written(member.recipe, own_folder / "source")
        if member.label in self.choices and member not in self.begun:
            environment[machine.CHOICES] = own_folder / "choices.json"
            files.write_json(own_folder / "choices.json", self.choices[member.label])
        recipe = own_folder / f"{folder.name}.toml"
        recipe.write_text(member.recipe.toml(), encoding="utf-8")
        return Job(
            folder,
            begin=(recipe, *_paths(member.recipe, self.source), *trust, *options),
            resume=(*trust, *options),
            begun=member in self.begun,
            files=own_folder,
            tables=frozenset({table} if table and _is_with_images(table, self.source) else ()),
            environment=environment,
        )


def _is_with_images(path: Path, source: Source) -> bool:
    """Return whether a source's folder is a table whose images lie beside it."""
    return source.images is None and data.is_table(path)


def _paths(recipe: Recipe, source: Source) -> list[Argument]:
    """Return the options that name a table, whose images are elsewhere, and corrected labels."""
    if not data.is_own_images(recipe.data):
        return []
    paths: list[Argument] = []
    if source.images and source.folder:
        paths += ["--data", source.folder]
    if source.labels and recipe.data.options.get("labels"):
        paths += ["--labels", source.labels]
    return paths


def _written(recipe: Recipe, folder: Path) -> list[Argument]:
    """Write the user's own code beside a recipe; return the `--trust` options for it."""
    folder.mkdir(parents=True, exist_ok=True)
    trust: list[Argument] = []
    for own in (part.own for part in recipe.parts if part.own):
        if not own.source or not own.file.endswith(".py"):
            raise UsageError(
                "a study trains in separate processes, which cannot see an object in Python",
                remedy="a function or class that a .py file defines",
            )
        (folder / own.file).write_text(own.source, encoding="utf-8")
        trust += ["--trust", folder / own.file] if own.trusted else []
    return trust


def make(
    study: Study,
    changes: Mapping[str, Any],
    source: Source,
    out: Path,
    options: list[Argument],
    *,
    weights: Path | None = None,
    own: OwnFiles | None = None,
    elsewhere: bool = False,
) -> Plan:
    """Return the plan of a study for the runs in `out`; opens the training data for digests.

    changes: recipe fields that override those of the study.
    options: command-line options of every training.
    weights: path of the weights from which variants start.
    own:     where the user's own code is, and which of it may run.
    elsewhere: whether runs are trained on other machines.

    Raises UsageError for an invalid study, and DataError where data are missing or damaged.
    """
    folder = out / study.name
    if (folder / "recipe.toml").exists():
        raise UsageError(
            f"{str(folder)!r} is a run, so the study {study.name!r} cannot be written there",
            remedy="another --out, or another name for the study's file",
        )
    variants = studies.variants(study, changes, own)
    pinned = {}
    for label, recipe in variants.items():
        part, source = data.pin_labels(recipe.data, source)
        pinned[label] = _pinned(recipe.override({"data": part}), weights, source)
    lacking = {label: reason for label, (_, reason, _) in pinned.items() if reason}
    recipes = {label: recipe for label, (recipe, _, _) in pinned.items()}
    members = studies.members(recipes, study.seeds, study.folds)
    sets = {str(m.recipe.data): data.load(m.recipe.data, source) for m in members}
    bundled = frozenset(text for text, recipe in sets.items() if recipe.bundled)
    if len(bundled) == len(sets):  # else the folder is for the other data sets
        data.refuse_folder(next(iter(sets.values())), source)
    done, begun = studies.find(members, out, {text: recipe.digest for text, recipe in sets.items()})
    names = {text: recipe.name for text, recipe in sets.items()}
    kept = [m for m in members if m.label not in lacking or m in done or m in begun]
    left_out = [LeftOut(m.label, m.seed, lacking[m.label]) for m in members if m not in kept]
    copies = {text: dataset.copy for text, dataset in sets.items() if dataset.copy}
    backbones = {label: file for label, (_, _, file) in pinned.items() if file}
    return Plan(
        study, folder, source, kept, names, done, begun, options, weights, bundled, left_out,
        elsewhere, copies, backbones,
    )  # fmt: skip


def _without(option: str, options: list[Argument]) -> list[Argument]:
    """Return the options without one option and its value."""
    if option not in options:
        return options
    index = options.index(option)
    return options[:index] + options[index + 2 :]


def _pinned(
    recipe: Recipe, weights: Path | None, source: Source
) -> tuple[Recipe, str, Path | None]:
    """Return the recipe with pinned weights and data spelled out, and the weights' file.

    Between them is why there are no weights; "" where they are there or not needed.
    """
    from hundredfold.engines import engine_for  # loads torch, which `study --help` does without
    from hundredfold.training.resolve import open_data

    if weights and recipe.engine == "pytorch" and not serves(weights, recipe.model):
        weights = None
    try:
        recipe, file = engine_for(recipe).resolve_weights(recipe, source, weights)
    except MissingError as error:
        reason = f"{error.message}; {error.remedy}" if error.remedy else error.message
        return recipe, reason, None
    path = file.path if file and file.path.is_file() else None
    return open_data(recipe, file, source)[0], "", path


def estimate(plan: Plan, jobs: int) -> dict[str, Any]:
    """Return seconds and bytes for the missing runs, from timing trials of each variant.

    Each trial runs in its own process. Unfinished runs are not counted.

    Raises CheckError, with the exit code of the trial, where a variant cannot be trained.
    """
    fresh = [member for member in plan.missing if member not in plan.begun]
    measured = _tried(plan, fresh)
    for label, outcome in measured.items():
        if outcome.code:
            error = CheckError(f"{label} cannot be trained", found=outcome.reason)
            error.exit_code = outcome.code
            raise error
    seconds = sum(measured[m.label].result["seconds"] for m in fresh) / jobs
    size = sum(measured[m.label].result["bytes"] for m in fresh)
    return {
        "study": str(plan.folder),
        "finished": [str(run.folder) for run in plan.runs.values()],
        "unfinished": [str(run.folder) for run in plan.begun.values()],
        "missing": [str(plan.run_folder(member)) for member in fresh],
        "seconds": round(seconds, 1),
        "bytes": size,
    }


def choose(plan: Plan) -> None:
    """Choose precision and convolution algorithms of each variant here, for runs elsewhere.

    A variant that cannot be tried here chooses where it runs.
    """
    fresh = [member for member in plan.missing if member not in plan.begun]
    for label, outcome in _tried(plan, fresh).items():
        if not outcome.code:
            chosen = {key: outcome.result[key] for key in ("precision", "algorithms", "threads")}
            here = {"chip": machine.chip(), "torch": version("torch")}
            plan.choices[label] = chosen | here


def _tried(plan: Plan, members: Sequence[Member]) -> dict[str, Outcome]:
    """Return label -> outcome of a trial of its first member, each in its own process."""
    first = {member.label: member for member in reversed(members)}
    with files.temporary_folder() as scratch:
        trials = {
            label: _dry(plan.job(member, plan.run_folder(member), scratch))
            for label, member in first.items()
        }
        return dict(Local(1).outcomes(trials, lambda _: ()))


def _dry(job: Job) -> Job:
    return replace(job, begin=(*job.begin, "--dry-run"))


def options(data_dir: Path | None, device: str, threads: int, jobs: int) -> list[Argument]:
    """Return the command-line options of every training; concurrent runs divide the threads."""
    arguments: list[Argument] = ["--device", device, "--json"]
    if data_dir:
        arguments += ["--data-dir", data_dir]
    if jobs > 1:
        threads = max(1, (threads or machine.cores()) // jobs)
    return [*arguments, "--threads", str(threads)] if threads else arguments
