"""Read and check the keywords of a training, before torch is loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold import data, displays, recipe, recipes, run, spec, trackers
from hundredfold.api import images
from hundredfold.api.options import (
    COMMAND_DEFAULTS,
    TrainOptions,
    data_sets,
    home,
    recipe_changes,
    trusted,
    with_values,
)
from hundredfold.compute import torchrun
from hundredfold.data import Source
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.size import Size
from hundredfold.spec import OwnFiles
from hundredfold.weights.locate import backbone_of, network_of_run, spelled_out

_SIZE = "data.size"
_WITH_RESUME = {"resume", "data", "data_dir", "weights", "pretrained", "device", "devices",
                "threads", "out", "name", "progress", "trust", "log"}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A checked request to train.

    changes:  recipe fields that were set.
    sets:     texts of `--set` and `--lr`.
    files:    the user's own files that changes and sets name.
    named:    whether the user named a recipe, of which a budget chooses only the epochs.
    sized:    whether the user set the size of the images.
    explicit: names of the recipe fields that the user set.
    weights:  path of the weights of a resumed run, if set.
    begun:    the run to resume, or None.
    """

    recipe: Recipe
    source: Source
    changes: Mapping[str, Any]
    named: bool
    options: Mapping[str, Any]
    display: displays.Display | None
    sets: tuple[str, ...] = ()
    files: OwnFiles | None = None
    sized: bool = False
    explicit: frozenset[str] = frozenset()
    weights: Path | None = None
    begun: run.Run | None = None


def read(name: str, keywords: Mapping[str, Any]) -> Request:
    """Return the request of some keywords. Raises UsageError for an invalid or unknown one."""
    keywords = with_values(keywords, TrainOptions)
    out = Path(home(keywords.get("out", run.RUNS)))
    options = {**COMMAND_DEFAULTS, **keywords, "out": out}
    options["devices"] = str(options["devices"])
    display = displays.choose(options.get("progress", "auto"))
    trackers.choose(options["log"])  # refuse a missing one before anything is opened
    keywords = _merge_pretrained(keywords, out)
    if options["resume"]:
        return _to_resume(name, keywords, options, display)
    source, changes = images.source_in(options["data_dir"]), recipe_changes(keywords)
    if "data" in keywords:
        changes["data"], source = images.resolve_data(keywords["data"], source)
    files = OwnFiles(trusted=None)  # code that this call names may run
    sets = _sets(options)
    chosen, explicit = _recipe(name, changes, options, sets, files)
    epochs = "epochs" in keywords or ("epochs" in explicit and not name)
    _need_agreement(chosen, options, epochs)
    part, source = data.pin_labels(chosen.data, source)
    if part != chosen.data:
        changes["data"] = str(part)
        chosen = chosen.override({"data": part})
    sized = _sized(part, options)
    return Request(
        chosen, source, changes, bool(name), options, display, sets, files, sized, explicit
    )


def source_of_options(options: Mapping[str, Any]) -> Source:
    """Return the source of data that a call names, for a process that follows another."""
    source, chosen = images.source_in(options.get("data_dir")), options.get("data")
    return source if chosen is None else images.resolve_data(chosen, source)[1]


def _sets(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the texts of `--set`, and that of `--lr` before them; none of the data."""
    rate = [f"optimizer.lr={options['lr']}"] if options["lr"] is not None else []
    return (*rate, *(text for text in options["set"] or [] if not _of_data(text)))


def _data_sets(options: Mapping[str, Any]) -> list[str]:
    """Return the texts of `--set`, and of the options for own images, that change the data."""
    sets = (text.partition("=") for text in options["set"] or [] if _of_data(text))
    return data_sets(options) + [
        f"{key}={Size.of(value)!s}" if key.strip() == _SIZE and value else f"{key}{equals}{value}"
        for key, equals, value in sets
    ]


def _of_data(text: str) -> bool:
    return text.lstrip().startswith("data.")


def _sized(part: spec.Part, options: Mapping[str, Any]) -> bool:
    """Return whether the user set the size of the images; 0 leaves it to the images."""
    size = part.options.get("size", 0)
    if part.own or not size:
        return False
    named = any(text.partition("=")[0].strip() == _SIZE for text in _data_sets(options))
    return named or size != spec.part(part.name, "hundredfold.data").options["size"]


def _merge_pretrained(keywords: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return the keywords with `pretrained` as `weights`, and a run in `out` as its folder."""
    if "weights" in keywords and "pretrained" in keywords:
        raise UsageError("--weights and --pretrained are the same option", remedy="--weights alone")
    others = {key: value for key, value in keywords.items() if key not in ("weights", "pretrained")}
    text = keywords.get("weights", keywords.get("pretrained"))
    return others if text is None else others | {"weights": spelled_out(home(text), out)}


def _recipe(
    name: str,
    changes: dict[str, Any],
    options: Mapping[str, Any],
    sets: tuple[str, ...],
    files: OwnFiles,
) -> tuple[Recipe, frozenset[str]]:
    """Return the recipe, and the fields that are explicit."""
    base = recipes.load(home(name), trusted(options["trust"])) if name else Recipe()
    if "weights" in changes and "model" not in changes:
        network: spec.Part | str | None = network_of_run(changes["weights"], options["out"])
        if not name and changes.get("engine") != "tensorflow":  # which has networks of its own
            network = network or backbone_of(changes["weights"])
        changes |= {"model": network} if network else {}
    if changes.get("data") == base.data.name == "image_folder":
        del changes["data"]  # the recipe's own options hold for other images too
    if of_data := _data_sets(options):  # a budget keeps them
        changes["data"] = str(base.override(changes, of_data, files).data)
    explicit = changes.keys() | {text.partition("=")[0].strip() for text in sets}
    if name.endswith(".toml") and base.model_fields_set < Recipe.model_fields.keys():
        explicit |= base.model_fields_set
    elif name.endswith(".toml"):  # a run's own file spells out every field
        explicit |= {"epochs"}
    quick = recipe.QUICK if options["quick"] else {}
    return base.override(quick | changes, sets, files), frozenset(explicit | quick.keys())


def _to_resume(
    name: str,
    keywords: Mapping[str, Any],
    options: Mapping[str, Any],
    display: displays.Display | None,
) -> Request:
    """Return a request to resume a run, whose recipe cannot be changed."""
    begun = run.open_run(home(options["resume"]), options["out"])
    begun = run.Run(begun.folder, trusted(options["trust"]))
    in_memory = not isinstance(
        keywords.get("data", ""), str | os.PathLike
    )  # images in Python alone
    if name or keywords.keys() - _WITH_RESUME or ("data" in keywords and not in_memory):
        raise UsageError(
            "--resume continues with the run's own recipe, which cannot be changed",
            remedy=f"hundredfold train --resume {options['resume']}",
        )
    with begun.writer():
        pass  # refuse a run that another process writes, before torch is loaded
    source = images.source_in(options["data_dir"])
    if in_memory:
        source = images.source_of(begun, keywords["data"], None)
    weights = Path(keywords["weights"]) if "weights" in keywords else None
    return Request(begun.recipe, source, {}, True, options, display, weights=weights, begun=begun)


def _need_agreement(recipe: Recipe, options: Mapping[str, Any], epochs: bool) -> None:
    """Raise UsageError for options that exclude each other."""
    if options["compile"] and recipe.engine != "pytorch":
        raise UsageError(
            f"--compile is for PyTorch; {recipe.engine} always compiles the step",
            remedy="the same command without --compile",
        )
    if options["devices"] not in ("", "1") or torchrun.rank():
        _need_several(recipe, options)
    if not options["budget"]:
        return
    if epochs or options["quick"]:
        raise UsageError(
            "--budget chooses the epochs",
            remedy=f"--budget {options['budget']}, without --epochs, --quick",
        )
    if recipe.engine != "pytorch":
        raise UsageError("--budget is for PyTorch only", remedy="--epochs instead")
    if options["compile"]:
        raise UsageError(
            "--budget does not count the time of --compile", remedy="one of them alone"
        )


def _need_several(recipe: Recipe, options: Mapping[str, Any]) -> None:
    """Raise UsageError for options that train on one device only."""
    several = f"--devices {options['devices']}" if options["devices"] else "torchrun"
    alone = {
        f"the engine {recipe.engine}": recipe.engine != "pytorch",
        "--compile": options["compile"],
        "--budget": options["budget"],
    }
    for name in (name for name, is_set in alone.items() if is_set):
        raise UsageError(f"{name} trains on one device", found=several, remedy="one of them alone")
    objects = [p.name for p in recipe.parts if p.own is not None and p.own.file == "python"]
    if objects:
        raise UsageError(
            f"{objects[0]} exists in this process only, and other processes cannot build it",
            remedy="a function in a file, such as --model my_nets.py:net",
        )


def call_text(function: str, recipe: str, options: Mapping[str, Any]) -> str:
    """Return a call as text for run.json: hf.train('simple-cnn', epochs=5)."""
    arguments = [repr(recipe)] if recipe else []
    arguments += [f"{key}={_short(value)}" for key, value in options.items() if key != "progress"]
    return f"hf.{function}({', '.join(arguments)})"


def _short(value: Any) -> str:
    plain = isinstance(value, str | int | float | bool | os.PathLike | None)
    return repr(os.fspath(value) if isinstance(value, os.PathLike) else value) if plain else "..."
