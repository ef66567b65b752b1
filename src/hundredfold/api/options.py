"""What `train` and `study` take as keywords, which are the flags of the command line."""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from hundredfold import metrics, spec
from hundredfold.data import Indexed
from hundredfold.displays import Progress
from hundredfold.errors import UsageError
from hundredfold.recipe import PACKAGES, Recipe

File: TypeAlias = str | os.PathLike[str]
Part: TypeAlias = str | Callable[..., Any]  # as a recipe names it, or a function, class or module
Data: TypeAlias = File | Indexed

_OTHER_WORDS = {
    "batch": "batch_size",
    "imgsz": "image_size",
    "img_size": "image_size",
    "learning_rate": "lr",
    "project": "out",
    "workers": "threads",
}
_CLOSE = 0.75  # of `difflib`'s ratio: below it another option is hardly what was meant


class RecipeFields(TypedDict, total=False):
    """Fields of a recipe, which decide a run's numbers; `Recipe` says what each means."""

    title: str | None
    source: str | None
    engine: Literal["pytorch", "tensorflow"] | None
    data: Data | None
    model: Part | None
    weights: File | None
    strategy: Part | None
    augment: Part | None
    loss: Part | None
    optimizer: Part | None
    schedule: Part | None
    resolution: Part | None
    epochs: float | None
    batch_size: int | None
    patience: int | None
    select: Literal["validation.loss", "validation.top_1", "last"] | None
    micro_batch: int | None
    ema: float | None
    precision: Literal["auto", "fp32", "bf16"] | None
    validation: float | None
    limit: int | None
    seed: int | None


class CommandOptions(TypedDict, total=False):
    """Options of a training that are no field of its recipe, each with what it does."""

    data_dir: Annotated[File | None, "Where the data set lies, if not in the cache."]
    pretrained: Annotated[File | None, "Another spelling of --weights."]
    lr: Annotated[float | None, "The optimizer's learning rate, as --set optimizer.lr."]
    image_size: Annotated[
        int | None, "Height and width of the images in pixels, as --set data.size."
    ]
    set: Annotated[
        list[str] | None,
        "Change one field or one option: --set model.depth=16 --set ema=0.999.",
    ]
    budget: Annotated[
        str,
        "A time such as 90s, 5m or 1h: chooses what makes most of it, and ends then. With a "
        "recipe or a model it chooses the epochs alone. Features of a pretrained network count; "
        "a head on frozen ones keeps the recipe's epochs.",
    ]
    device: Annotated[str, "auto, cpu, cuda, cuda:1 or mps."]
    threads: Annotated[
        int,
        "Threads to compute with; 0 takes every core. With --resume too, where another number "
        "may end in other last bits.",
    ]
    compile: Annotated[
        bool,
        "Let torch.compile fuse the step's kernels, as may pay on a GPU; it needs a compiler "
        "(Triton, or g++ without a GPU) and takes up to minutes before the first step.",
    ]
    out: Annotated[File, "The folder in which runs are made."]
    name: Annotated[str, "The run's name; empty is <model>-<data>-<digest>."]
    trust: Annotated[
        list[File] | None,
        "A .py file of your own that a recipe or a run names, and that may run.",
    ]
    resume: Annotated[File, "Go on with an interrupted run, by name or folder."]
    quick: Annotated[bool, "Two epochs on 2,048 images, to see that everything works."]


class TrainOptions(RecipeFields, CommandOptions, total=False):
    """Keywords of `train`: the recipe's fields, the command's options, and `progress`."""

    progress: Progress


class StudyOptions(RecipeFields, total=False):
    """Keywords of `study`: what varies, fields that every variant gets, and where it runs.

    vary: label -> a recipe's name, or fields. grid: field -> values, in every combination.
    base: the recipe that they change. seeds: trainings of each variant. metric: what is
    compared. jobs: trainings at a time, which share the threads.
    """

    vary: Mapping[str, str | Mapping[str, Any]] | None
    grid: Mapping[str, Iterable[Any]] | None
    base: str
    seeds: int | None
    metric: str
    name: str
    jobs: int
    data_dir: File | None
    weights: File | None
    out: File
    device: str
    threads: int
    quick: bool
    trust: Iterable[File] | None
    progress: Progress


COMMAND_DEFAULTS: Mapping[str, Any] = {
    "data_dir": None,
    "pretrained": None,
    "trust": None,
    "lr": None,
    "image_size": None,
    "set": None,
    "budget": "",
    "device": "auto",
    "threads": 0,
    "compile": False,
    "out": "runs",
    "name": "",
    "resume": "",
    "quick": False,
}


def known(options: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the options that were given a value. Raises UsageError for one that is none."""
    for key in options:
        if key not in keys_of(kind):
            near = closest(key, keys_of(kind))
            raise UsageError(
                f"there is no option {key!r}", remedy=f"did you mean {near!r}?" if near else None
            )
    return {key: value for key, value in options.items() if value is not None}


def recipe_changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are fields of a recipe, as a recipe holds them; not the data."""
    fields = {k: v for k, v in options.items() if k in Recipe.model_fields and k != "data"}
    return {
        key: _part(value, PACKAGES[key])
        if key in PACKAGES and not isinstance(value, str)
        else value
        for key, value in fields.items()
    }


def _part(value: Any, package: str) -> spec.Part | spec.Chain:
    """Return a function, a class or an object as a part; of augmentations several may be given."""
    chained = package == PACKAGES["augment"]
    if chained and isinstance(value, list | tuple):
        return spec.Chain(p for one in value for p in _chain(one, package))
    part = value if isinstance(value, spec.Part) else spec.own_part(value, package)
    return spec.Chain([part]) if chained else part


def _chain(value: Any, package: str) -> spec.Chain:
    if isinstance(value, str):
        return spec.chain(value, package, spec.OwnFiles(trusted=None))
    return spec.Chain([spec.own_part(value, package)])


def metric_parts(given: Iterable[str | Callable[..., Any]]) -> dict[str, spec.Part]:
    """Return metrics that this very call names, so that their code may run. Raises UsageError."""
    if isinstance(given, str) or callable(given):
        given = (given,)
    return metrics.own(given, spec.OwnFiles(trusted=None))


def trusted(files: Iterable[File] | None) -> frozenset[str]:
    """Return the digests of files of a user's own that may run. Raises UsageError."""
    return frozenset(spec.own_code(home(file), spec.OwnFiles()).digest for file in files or ())


def closest(given: str, names: Iterable[str]) -> str | None:
    """Return the name that was meant: another word for it, or one that is almost the same."""
    plain = {name.lstrip("-").replace("-", "_"): name for name in names}
    word = given.lstrip("-").replace("-", "_")
    close = difflib.get_close_matches(word, plain, n=1, cutoff=_CLOSE)
    meant = _OTHER_WORDS.get(word, close[0] if close else "")
    return plain.get(meant)


def path(value: File | None) -> Path | None:
    """Return a path with ~ as the home folder; None stays None."""
    return None if value is None else Path(value).expanduser()


def home(text: File) -> str:
    """Return a name or a path as text, ~ at its beginning replaced by the home folder."""
    return os.path.expanduser(os.fspath(text))  # noqa: PTH111  a name is no path


def call_text(function: str, recipe: str, options: Mapping[str, Any]) -> str:
    """Return a call as run.json records it: hf.train('simple-cnn', epochs=5)."""
    given = [repr(recipe)] if recipe else []
    given += [f"{key}={_short(value)}" for key, value in options.items() if key != "progress"]
    return f"hf.{function}({', '.join(given)})"


def _short(value: Any) -> str:
    plain = isinstance(value, str | int | float | bool | os.PathLike | None)
    return repr(os.fspath(value) if isinstance(value, os.PathLike) else value) if plain else "..."


def keys_of(kind: Any) -> frozenset[str]:
    """Return the keys of a TypedDict whose keys may all be absent."""
    keys: frozenset[str] = kind.__optional_keys__
    return keys
