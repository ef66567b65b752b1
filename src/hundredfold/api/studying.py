"""Train the missing runs of a study, compare over seeds, and return the result."""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from hundredfold import displays, files, reports, run, studies, trackers
from hundredfold.api import images
from hundredfold.api.options import (
    Data,
    File,
    home,
    path,
    recipe_changes,
    trusted,
    with_values,
)
from hundredfold.api.runs import Metric, Run, Score, load
from hundredfold.api.study_options import StudyOptions
from hundredfold.comparison import System
from hundredfold.compute import torchrun
from hundredfold.errors import HundredfoldWarning, Interrupted, UsageError
from hundredfold.events import shown_progress
from hundredfold.executors import Executor, Place, Slurm, choose
from hundredfold.recipe import QUICK
from hundredfold.spec import OwnFiles
from hundredfold.studies import cross_validated
from hundredfold.studies import plan as plans
from hundredfold.studies.plan import Plan, estimate
from hundredfold.studies.runner import Result, carry_out, value_text

__all__ = [
    "Executor",
    "Plan",
    "Result",
    "Slurm",
    "Study",
    "System",
    "carry_out",
    "choose",
    "cross_validated",
    "estimate",
    "find",
    "place",
    "prepare",
    "report",
    "slurm_scripts",
    "study",
    "value_text",
]


class Study:
    """A study's folder: its comparison, its runs, its page. A notebook displays its verdicts.

    `Study("runs/quickstart")` opens an existing study. Raises UsageError for another folder.
    """

    def __init__(self, folder: File, *, trusted: frozenset[str] = frozenset()) -> None:
        self.folder, self._trusted = Path(home(folder)), trusted
        if not (self.folder / "study.json").is_file():
            raise UsageError(f"{str(self.folder)!r} is not a study", found="no study.json in it")

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def comparison(self) -> dict[str, Any]:
        """comparison.json: "systems", best mean first, and "pairs" with a "sentence" each."""
        return run.reading.comparison(self.folder)

    @property
    def runs(self) -> dict[str, list[Run]]:
        """Label -> the compared runs, in the order of their seeds."""
        by_label: dict[str, list[Run]] = {}
        for member in self._stored["members"]:
            folder = run.plain.need_folder(self.folder.parent, str(member["run"]))
            by_label.setdefault(str(member["label"]), []).append(Run(folder, trusted=self._trusted))
        return by_label

    @property
    def members(self) -> list[Run]:
        """All compared runs."""
        return [member for many in self.runs.values() for member in many]

    @property
    def left_out(self) -> list[dict[str, Any]]:
        """Trainings that are not compared: "label", "seed", "reason", "run"."""
        return list(self._stored.get("left_out", ()))

    @property
    def cross_validated(self) -> list[dict[str, Any]]:
        """Scores over all training images, by variant and seed; [] without folds."""
        return list(self._stored.get("cross_validated", ()))

    @property
    def _stored(self) -> dict[str, Any]:
        return run.reading.study(self.folder)

    def evaluate(
        self,
        split: str = "test",
        *,
        data_dir: File | None = None,
        metrics: Metric | Sequence[Metric] = (),
        device: str = "auto",
    ) -> dict[str, dict[str, Score]]:
        """Score every run of the study on a split; return run name -> scores.

        metrics: additional ones, as `Run.evaluate` takes.
        """
        return {
            member.name: member.evaluate(split, data_dir=data_dir, metrics=metrics, device=device)
            for member in self.members
        }

    def report(self, *, data_dir: File | None = None) -> Path:
        """Write the study's page and figures; return the page."""
        return reports.write_study(self.folder, images.source_in(data_dir))

    def __repr__(self) -> str:
        pairs = self.comparison["pairs"]
        systems = ", ".join(
            f"{s['label']} {value_text(self.comparison['metric'], s['mean'])}"
            for s in self.comparison["systems"]
        )
        sentences = "".join(f"\n  {pair['sentence']}" for pair in pairs[:6])
        return f"Study({str(self.folder)!r}: {systems}){sentences}"

    def _repr_html_(self) -> str:
        return reports.study_html(self.folder)


def study(name: str = "", /, **options: Unpack[StudyOptions]) -> Study:
    """Train the missing runs of a study, compare over seeds, and return it.

    name: a study that ships ("quickstart") or a .toml file; or "", with `vary` or `grid`:
        study(vary={"cnn": "simple-cnn", "resnet": {"model": "resnet(depth=20)"}}, seeds=3).
    options: recipe fields of every variant, and those of `StudyOptions`. They override a study
        file. Without a file, a variant's own fields override them.

    Finished runs with the same recipe and data are not trained again, and interrupted runs are
    resumed. The test split is not read. Failed runs are left out with a warning.

    Raises UsageError for an invalid study, and DataError for missing or damaged data. Raises
    Interrupted after a signal, once every state is saved; the same call resumes.
    """
    display = displays.choose(options.get("progress", "auto"))
    executor = choose(place(options))
    plan = prepare(name, options)
    try:
        with shown_progress(display is not None):
            result = carry_out(plan, executor, display)
    except Interrupted as error:
        error.remedy = "make the same call to resume"
        raise
    if result.failed:
        warnings.warn(str(result.failed), HundredfoldWarning, stacklevel=2)
    return Study(plan.folder, trusted=plan.trusted)


def place(options: Mapping[str, Any]) -> Place:
    """Return where the trainings of a study run. Raises UsageError for a number out of range."""
    keywords = with_values(options, StudyOptions)
    return Place(
        keywords.get("cluster", ""),
        keywords.get("jobs", 1),
        keywords.get("cpus_per_run", 0),
        keywords.get("gpus_per_run", 0.0),
        path(keywords.get("shared")),
        bool(keywords.get("insecure")),
    )


def prepare(name: str, options: Mapping[str, Any]) -> Plan:
    """Return the plan of a study: its members, and their runs in `out`."""
    torchrun.refuse("a study")
    keywords = with_values(options, StudyOptions)
    source = images.source_in(keywords.get("data_dir"))
    own = ("weights", "folds")  # fields of a recipe that mean another thing here
    changes = recipe_changes({k: v for k, v in keywords.items() if k not in own})
    if "data" in keywords:
        if not isinstance(keywords["data"], str | os.PathLike):
            raise UsageError(
                "a study trains in separate processes, which cannot see images in Python",
                remedy="a folder of images, or the name of a data set",
            )
        changes["data"], source = images.resolve_data(keywords["data"], source)
    quick = bool(keywords.get("quick"))
    definition = _definition(name, keywords, changes)
    definition = _sized(definition, keywords)
    settings = plans.options(
        source.images or source.folder if "data" in keywords else path(keywords.get("data_dir")),
        keywords.get("device", "auto"),
        keywords.get("threads", 0) or place(options).threads,
        keywords.get("jobs", 1),
    )
    settings += _logging(keywords.get("log"))
    out = Path(home(keywords.get("out", run.RUNS)))
    wanted = (QUICK if quick else {}) | (changes if name else {})
    modules = OwnFiles(
        Path(definition.file).parent, trusted(keywords.get("trust")) if name else None
    )
    weights = path(keywords.get("weights"))
    elsewhere = bool(keywords.get("cluster"))
    return plans.make(
        definition, wanted, source, out, settings,
        weights=weights, own=modules, elsewhere=elsewhere,
    )  # fmt: skip


def slurm_scripts(plan: Plan, executor: Slurm) -> list[str]:
    """Return the scripts that would train the missing runs; nothing is written."""
    with files.temporary_folder() as scratch:
        jobs = {m: plan.job(m, plan.run_folder(m), scratch) for m in plan.missing}
        return executor.scripts(jobs, plan.study.name)


def _logging(log: str | Iterable[str] | None) -> list[str]:
    """Return the command-line options that log a training. Raises MissingError for an extra."""
    trackers.choose(log)
    chosen = [log] if isinstance(log, str) else [*(log or ())]
    return [word for name in chosen for word in ("--log", name)]


def _sized(definition: studies.Study, keywords: Mapping[str, Any]) -> studies.Study:
    """Return a study with the seeds and folds of this call; others have a name of their own."""
    seeds, folds = (keywords.get(key, getattr(definition, key)) for key in ("seeds", "folds"))
    if folds == 1 or folds < 0:
        raise UsageError(
            f"{folds} folds are no cross-validation", remedy="--folds 5, or 0 for none"
        )
    name = definition.name
    if folds != definition.folds and "name" not in keywords:
        name += f"-{folds}-folds"
    name += "-quick" if keywords.get("quick") else ""
    sized = definition.model_copy(update={"seeds": seeds, "folds": folds, "name": name})
    studies.need_few(sized)
    return sized


def _definition(
    name: str, keywords: Mapping[str, Any], changes: Mapping[str, Any]
) -> studies.Study:
    """Return a study by name, or from keywords; a variant's own fields override the common ones."""
    own = {
        key: keywords[key] for key in ("vary", "grid", "base", "metric", "name") if key in keywords
    }
    if "vary" in own:
        own["vary"] = {
            label: variant if isinstance(variant, str) else dict(variant) | recipe_changes(variant)
            for label, variant in own["vary"].items()
        }
    if not name:
        return studies.define({**own, "overrides": dict(changes)})
    if own:
        raise UsageError(
            f"{next(iter(own))} cannot be combined with the study {name!r}, which sets it itself",
            remedy="change the study's file, or leave out its name",
        )
    return studies.load(home(name))


def find(name: File, out: File = run.RUNS, trust: Iterable[File] | None = None) -> Study | None:
    """Return the study of a name or folder, or None where there is none.

    trust: the user's own .py files that may run.
    """
    folders = (Path(home(name)), Path(home(out)) / home(name))
    existing = (folder for folder in folders if (folder / "study.json").is_file())
    return next((Study(folder, trusted=trusted(trust)) for folder in existing), None)


def report(
    what: Run | Study | File,
    *,
    data: Data | None = None,
    data_dir: File | None = None,
    out: File = run.RUNS,
) -> Path:
    """Write the page of a run or a study, with its figures, and return it.

    what: a run or a study, or the name or folder of one.
    data, data_dir: source of the images of a run's worst mistakes, if not that of training.
    out: the folder of runs and studies, for names.
    """
    opened = what if isinstance(what, Run | Study) else find(what, out) or load(what, out=out)
    if isinstance(opened, Study):
        return opened.report(data_dir=data_dir)
    return opened.report(data=data, data_dir=data_dir)
