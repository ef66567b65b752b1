"""What the keywords of a training ask for, checked before anything heavy is loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold import displays, recipe, recipes, run
from hundredfold.api import images
from hundredfold.api.options import (
    COMMAND_DEFAULTS,
    TrainOptions,
    home,
    known,
    recipe_changes,
    trusted,
)
from hundredfold.data import Source
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.spec import OwnFiles
from hundredfold.weights.locate import network_of_run, spelled_out

_WITH_RESUME = {"resume", "data", "data_dir", "weights", "pretrained", "device", "threads", "out",
                "name", "progress", "trust"}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is to be trained, on what, and where.

    changes: fields of the recipe that were set. chosen: whether they choose a network, so that
    a budget chooses the epochs alone. explicit: fields that the user named here. weights: where
    those of a resumed run lie, if it was said. begun: the run to go on with, or None.
    """

    recipe: Recipe
    source: Source
    changes: Mapping[str, Any]
    chosen: bool
    options: Mapping[str, Any]
    display: displays.Display | None
    explicit: frozenset[str] = frozenset()
    weights: Path | None = None
    begun: run.Run | None = None


def read(name: str, given: Mapping[str, Any]) -> Request:
    """Return what is asked for. Raises UsageError for an option that is wrong or unknown."""
    given = known(given, TrainOptions)
    out = Path(home(given.get("out", run.RUNS)))
    options = {**COMMAND_DEFAULTS, **given, "out": out}
    display = displays.choose(options.get("progress", "auto"))
    given = _one_spelling(given, out)
    if options["resume"]:
        return _to_resume(name, given, options, display)
    source, changes = images.source_in(options["data_dir"]), recipe_changes(given)
    if "data" in given:
        changes["data"], source = images.resolve_data(given["data"], source)
    what, chosen, explicit = _recipe(name, changes, options)
    _need_agreement(what, options, "epochs" in given)
    return Request(what, source, changes, chosen, options, display, explicit)


def _one_spelling(given: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return the options with `pretrained` as `weights`, and a run in `out` as its folder."""
    if "weights" in given and "pretrained" in given:
        raise UsageError("--weights and --pretrained are one option", remedy="one of them")
    others = {key: value for key, value in given.items() if key not in ("weights", "pretrained")}
    text = given.get("weights", given.get("pretrained"))
    return others if text is None else others | {"weights": spelled_out(home(text), out)}


def _recipe(
    name: str, changes: dict[str, Any], options: Mapping[str, Any]
) -> tuple[Recipe, bool, frozenset[str]]:
    """Return the recipe with what was set, whether its network was chosen, and what was named."""
    files = OwnFiles(trusted=None)  # what this very call names may run
    what = recipes.load(home(name), trusted(options["trust"])) if name else Recipe()
    if "weights" in changes and "model" not in changes:
        network = network_of_run(changes["weights"], options["out"])
        changes |= {"model": network} if network else {}
    if options["image_size"] is not None:  # a field of the data set, which a budget keeps to
        sized = what.override(changes, [f"data.size={options['image_size']}"], files)
        changes["data"] = str(sized.data)
    sets = [f"optimizer.lr={options['lr']}"] if options["lr"] is not None else []
    sets += options["set"] or []
    chosen = bool(name or "model" in changes or "weights" in changes or sets)
    explicit = changes.keys() | {text.partition("=")[0].strip() for text in sets}
    if name.endswith(".toml") and what.model_fields_set < Recipe.model_fields.keys():
        explicit |= what.model_fields_set  # a run's own file spells out every field
    quick = recipe.QUICK if options["quick"] else {}
    return what.override(quick | changes, sets, files), chosen, frozenset(explicit)


def _to_resume(
    name: str,
    given: Mapping[str, Any],
    options: Mapping[str, Any],
    display: displays.Display | None,
) -> Request:
    """Return a request to go on with a run, whose recipe nothing can change."""
    begun = run.open_run(home(options["resume"]), options["out"])
    begun = run.Run(begun.folder, trusted(options["trust"]))
    held = not isinstance(given.get("data", ""), str | os.PathLike)  # images in Python alone
    if name or given.keys() - _WITH_RESUME or ("data" in given and not held):
        raise UsageError(
            "--resume goes on with the run's own recipe, which nothing can change",
            remedy=f"hundredfold train --resume {options['resume']}",
        )
    with begun.writer():
        pass  # one that another process writes is refused before torch is loaded
    source = images.source_in(options["data_dir"])
    if held:
        source = images.source_of(begun, given["data"], None)
    weights = Path(given["weights"]) if "weights" in given else None
    return Request(begun.recipe, source, {}, True, options, display, weights=weights, begun=begun)


def _need_agreement(what: Recipe, options: Mapping[str, Any], epochs: bool) -> None:
    """Raise UsageError for options that exclude each other."""
    if options["compile"] and what.engine != "pytorch":
        raise UsageError(
            f"--compile is PyTorch's; {what.engine} compiles every step anyway",
            remedy="the same command without --compile",
        )
    if not options["budget"]:
        return
    if epochs or options["quick"]:
        raise UsageError(
            "--budget chooses the epochs",
            remedy=f"--budget {options['budget']}, without --epochs, --quick",
        )
    if what.engine != "pytorch":
        raise UsageError("--budget is PyTorch's alone", remedy="--epochs instead")
    if options["compile"]:
        raise UsageError(
            "--budget does not count the minutes of --compile", remedy="one of them alone"
        )
