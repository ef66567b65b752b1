"""Train what a study lacks, compare over seeds, and hold the result."""

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from hundredfold import displays, reports, run, studies
from hundredfold.api import images
from hundredfold.api.options import (
    Data,
    File,
    StudyOptions,
    home,
    known,
    path,
    recipe_changes,
    trusted,
)
from hundredfold.api.runs import Run, Score, load
from hundredfold.comparison import System
from hundredfold.errors import HundredfoldWarning, Interrupted, UsageError
from hundredfold.events import shown_progress
from hundredfold.recipe import QUICK
from hundredfold.spec import OwnFiles
from hundredfold.studies import plan as plans
from hundredfold.studies.plan import Plan, estimate
from hundredfold.studies.runner import Result, carry_out, value_text

__all__ = [
    "Plan",
    "Result",
    "Study",
    "System",
    "carry_out",
    "estimate",
    "find",
    "prepare",
    "report",
    "study",
    "value_text",
]


class Study:
    """A study's folder: its comparison, its runs, its page. It shows itself in a notebook.

    `Study("runs/quickstart")` opens one that was carried out before.
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
        """comparison.json: "systems", the best mean first, and "pairs" with a "sentence" each."""
        return _read(self.folder / "comparison.json")

    @property
    def runs(self) -> dict[str, list[Run]]:
        """Label -> the runs that were compared, in the order of their seeds."""
        found: dict[str, list[Run]] = {}
        for member in _read(self.folder / "study.json")["members"]:
            place = self.folder.parent / str(member["run"])
            found.setdefault(str(member["label"]), []).append(Run(place, trusted=self._trusted))
        return found

    @property
    def members(self) -> list[Run]:
        """Every run that was compared."""
        return [member for many in self.runs.values() for member in many]

    @property
    def left_out(self) -> list[dict[str, Any]]:
        """Trainings that are not compared: "label", "seed", "reason", "run"."""
        return list(_read(self.folder / "study.json")["left_out"])

    def evaluate(
        self, split: str = "test", *, data_dir: File | None = None, device: str = "auto"
    ) -> dict[str, dict[str, Score]]:
        """Score every run of the study on a split; return run's name -> scores."""
        return {
            member.name: member.evaluate(split, data_dir=data_dir, device=device)
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
        said = "".join(f"\n  {pair['sentence']}" for pair in pairs[:6])
        return f"Study({str(self.folder)!r}: {systems}){said}"

    def _repr_html_(self) -> str:
        return reports.study_html(self.folder)


def study(name: str = "", /, **options: Unpack[StudyOptions]) -> Study:
    """Train what a study lacks, compare over seeds, and return it.

    name: a study that ships ("quickstart") or a .toml file; or none, and `vary` or `grid`:
        study(vary={"cnn": "simple-cnn", "resnet": {"model": "resnet(depth=20)"}}, seeds=3).
    options: fields of the recipe, which every variant gets, and those of `StudyOptions`. They
        win over a study's file; of keywords alone, a variant's own fields win over them.

    Runs that are there already, with the same recipe and the same data, are not trained again;
    interrupted ones go on where they stood. The test split stays closed. Runs that fail are
    left out, with a warning. Raises UsageError or DataError for a study that cannot be, and
    Interrupted, when every state is saved, where a signal asks to stop: the same call goes on.
    """
    display = displays.choose(options.get("progress", "auto"))
    plan = prepare(name, options)
    try:
        with shown_progress(display is not None):
            result = carry_out(plan, options.get("jobs", 1), display)
    except Interrupted as error:
        error.remedy = "the same call goes on"
        raise
    if result.failed:
        warnings.warn(str(result.failed), HundredfoldWarning, stacklevel=2)
    return Study(plan.folder, trusted=plan.trusted)


def prepare(name: str, options: Mapping[str, Any]) -> Plan:
    """Return what a study wants and what of it lies in `out`."""
    given = known(options, StudyOptions)
    source = images.source_in(given.get("data_dir"))
    changes = recipe_changes({key: value for key, value in given.items() if key != "weights"})
    if "data" in given:
        if not isinstance(given["data"], str | os.PathLike):
            raise UsageError(
                "a study trains in processes of their own, which do not see images in Python",
                remedy="a folder of images, or the name of a data set",
            )
        changes["data"], source = images.resolve_data(given["data"], source)
    quick = bool(given.get("quick"))
    what = _definition(name, given, changes)
    called = f"{what.name}-quick" if quick else what.name
    what = what.model_copy(update={"seeds": given.get("seeds", what.seeds), "name": called})
    settings = plans.options(
        source.folder if "data" in given else path(given.get("data_dir")),
        given.get("device", "auto"),
        given.get("threads", 0),
        given.get("jobs", 1),
    )
    out = Path(home(given.get("out", run.RUNS)))
    wanted = (QUICK if quick else {}) | (changes if name else {})
    files = OwnFiles(Path(what.file).parent, trusted(given.get("trust")) if name else None)
    weights = path(given.get("weights"))
    return plans.make(what, wanted, source, out, settings, weights=weights, files=files)


def _definition(name: str, given: Mapping[str, Any], changes: Mapping[str, Any]) -> studies.Study:
    """Return a study by name, or one of keywords, where fields of all lose to a variant's own."""
    own = {key: given[key] for key in ("vary", "grid", "base", "metric", "name") if key in given}
    if "vary" in own:
        own["vary"] = {
            label: one if isinstance(one, str) else dict(one) | recipe_changes(one)
            for label, one in own["vary"].items()
        }
    if not name:
        return studies.define({**own, "overrides": dict(changes)})
    if own:
        raise UsageError(
            f"the study {name!r} says itself what varies", found=f"{next(iter(own))} was given too"
        )
    return studies.load(home(name))


def find(name: File, out: File = run.RUNS, trust: Iterable[File] | None = None) -> Study | None:
    """Return the study of a name or folder, or None where there is none.

    trust: .py files of the user's own that may run.
    """
    folders = (Path(home(name)), Path(home(out)) / home(name))
    found = (folder for folder in folders if (folder / "study.json").is_file())
    return next((Study(folder, trusted=trusted(trust)) for folder in found), None)


def report(
    what: Run | Study | File,
    *,
    data: Data | None = None,
    data_dir: File | None = None,
    out: File = run.RUNS,
) -> Path:
    """Write the page of a run or a study, with its figures, and return it.

    what: a run or a study, opened or named. data, data_dir: where the images of a run's worst
    mistakes are, if not where they were. out: where runs and studies are that are named.
    """
    found = what if isinstance(what, Run | Study) else find(what, out) or load(what, out=out)
    if isinstance(found, Study):
        return found.report(data_dir=data_dir)
    return found.report(data=data, data_dir=data_dir)


def _read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))
