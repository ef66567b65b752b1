"""The keywords of `train` and `study`, which are also the flags of the command line."""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypedDict, get_args, get_type_hints

from hundredfold import metrics, spec
from hundredfold.data import Indexed
from hundredfold.displays import Progress
from hundredfold.errors import UsageError, shortened
from hundredfold.paths import expanded, expanded_text
from hundredfold.recipe import PACKAGES, Recipe
from hundredfold.size import Size, SizeLike
from hundredfold.spec import DEVICES, Threads, limits_of, need

File: TypeAlias = str | os.PathLike[str]
Part: TypeAlias = str | Callable[..., Any]  # recipe text, or a function, class or module
Data: TypeAlias = File | Indexed
Tracker: TypeAlias = Literal["tensorboard", "mlflow", "wandb", "trackio"]

_OTHER_WORDS = {
    "batch": "batch_size",
    "folder": "",  # data, data_dir and out are folders; "fold" is not meant
    "imgsz": "image_size",
    "img_size": "image_size",
    "learning_rate": "lr",
    "project": "out",
    "workers": "threads",
}
_CLOSE = 0.75  # smallest `difflib` ratio at which an option is suggested


# options of the command -> options of the data set `image_folder`
DATA_OPTIONS = {
    "image_size": "size",
    "resize": "resize",
    "image_column": "image_column",
    "label_column": "label_column",
    "label_pattern": "label_pattern",
    "group": "group",
    "test": "test",
    "labels": "labels",
}


class RecipeFields(TypedDict, total=False):
    """Fields of a recipe, which determine a run's numbers; see `Recipe` for their meaning."""

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
    balance: Literal["none", "weights", "sample"] | None
    folds: int | None
    fold: int | None
    seed: int | None


class CommandOptions(TypedDict, total=False):
    """Options of a training that are not recipe fields, each with its help text."""

    data_dir: Annotated[File | None, "Folder of the data set, if not in the cache."]
    pretrained: Annotated[File | None, "Same as --weights."]
    lr: Annotated[float | None, "The optimizer's learning rate, same as --set optimizer.lr."]
    image_size: Annotated[
        SizeLike | None,
        "Height and width of the images in pixels, as one number or HEIGHTxWIDTH such as 128x256; "
        "same as --set data.size. Default for your own images: that of the weights, else chosen "
        "by their sizes.",
    ]
    resize: Annotated[
        Literal["crop", "pad", "stretch"] | None,
        "What becomes of an image of another aspect: its largest centred part, the whole with "
        "black borders, or the whole without its aspect.",
    ]
    image_column: Annotated[str | None, "The column of a table that names the images."]
    label_column: Annotated[str | None, "The column of a table that holds the labels."]
    label_pattern: Annotated[
        str | None,
        'Labels in the names of files, as in "{label}_*" for cat_1.jpg; * is any text, # digits.',
    ]
    group: Annotated[
        str | None,
        "What must stay within one split, a patient or video: a column of the table, or a pattern "
        'of file names such as "{group}_*".',
    ]
    test: Annotated[
        float | None,
        "Fraction of the images that becomes the test split, which only evaluate opens.",
    ]
    labels: Annotated[
        File | None,
        "A CSV of corrected labels, with the columns file and label; an empty label leaves the "
        "image out. An apostrophe before text like a formula, such as '=1+1, is not part of it.",
    ]
    set: Annotated[
        list[str] | None,
        "Change one field or one option: --set model.depth=16 --set ema=0.999.",
    ]
    budget: Annotated[
        str,
        "A time such as 90s, 5m or 1h: choose the best recipe for it, and stop after it. With a "
        "recipe or a model, only the epochs are chosen. Computing pretrained features counts; "
        "a head on frozen features keeps the recipe's epochs.",
    ]
    device: Annotated[
        str, "Kind of device: auto, cpu, cuda, cuda:1 or mps. --devices says how many."
    ]
    devices: Annotated[
        int | str,
        DEVICES,
        "Number of devices that compute one training, or all for every GPU; --device says of which "
        "kind. On a CPU, so many processes share its cores. Also applies to --resume, which "
        "takes the run's number otherwise. Not beside torchrun, which starts processes itself.",
    ]
    threads: Annotated[
        Threads,
        "Threads to compute with; 0 takes every core. With --devices each process has as many, and "
        "0 divides the cores. Also applies to --resume, where another "
        "number may change the last bits.",
    ]
    compile: Annotated[
        bool,
        "Fuse the step's kernels with torch.compile, which may be faster on a GPU. It needs a "
        "compiler (Triton, or g++ without a GPU) and up to minutes before the first step.",
    ]
    out: Annotated[File, "The folder of the runs."]
    name: Annotated[str, "The run's name; default: <model>-<data>-<digest>."]
    trust: Annotated[
        list[File] | None,
        "A .py file of your own that a recipe or a run names, and that may run.",
    ]
    log: Annotated[
        list[Tracker] | None,
        "Log to an experiment tracker too, on this machine unless its own settings name a server; "
        "may be given several times. Each needs the extra of its name.",
    ]
    resume: Annotated[File, "Continue an interrupted run, by name or folder."]
    quick: Annotated[bool, "Two epochs on 2,048 images, to check that everything works."]


class TrainOptions(RecipeFields, CommandOptions, total=False):
    """Keywords of `train`: the recipe's fields, the command's options, and `progress`."""

    progress: Progress


COMMAND_DEFAULTS: Mapping[str, Any] = {
    "data_dir": None,
    "pretrained": None,
    "trust": None,
    "lr": None,
    **dict.fromkeys(DATA_OPTIONS),
    "set": None,
    "budget": "",
    "device": "auto",
    "devices": "",
    "threads": 0,
    "compile": False,
    "out": "runs",
    "name": "",
    "log": None,
    "resume": "",
    "quick": False,
}


def with_values(options: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the options that are not None; the command line's texts of numbers as numbers.

    Raises UsageError for an unknown option, and for a number out of range.
    """
    hints = get_type_hints(kind, include_extras=True)
    given: dict[str, Any] = {}
    for key, value in options.items():
        if key not in hints:
            near = closest(key, hints)
            raise UsageError(
                f"there is no option {shortened(key)}",
                remedy=f"did you mean {near!r}?" if near else None,
            )
        if value is None:
            continue
        if get_args(hints[key])[:1] == (int | str,) and _is_whole(value):
            value = int(value)
        if limits := limits_of(hints[key]):
            need(key, value, limits)
        given[key] = value
    return given


def _is_whole(value: int | str) -> bool:
    text = str(value)
    return text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 20


def recipe_changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are recipe fields, except `data`, with their values as parts."""
    fields = {k: v for k, v in options.items() if k in Recipe.model_fields and k != "data"}
    return {
        key: _part(value, PACKAGES[key])
        if key in PACKAGES and not isinstance(value, str)
        else value
        for key, value in fields.items()
    }


def _part(value: Any, package: str) -> spec.Part | spec.Chain:
    """Return a function, a class or an object as a part, or a list of augmentations as a chain."""
    chained = package == PACKAGES["augment"]
    if chained and isinstance(value, list | tuple):
        return spec.Chain(p for augmentation in value for p in _chain(augmentation, package))
    part = value if isinstance(value, spec.Part) else spec.own_part(value, package)
    return spec.Chain([part]) if chained else part


def _chain(value: Any, package: str) -> spec.Chain:
    if isinstance(value, str):
        return spec.chain(value, package, spec.OwnFiles(trusted=None))
    return spec.Chain([spec.own_part(value, package)])


def data_sets(options: Mapping[str, Any]) -> list[str]:
    """Return the options of the data set as texts for `Recipe.override`: "data.size=64"."""
    values = {
        DATA_OPTIONS[key]: options[key] for key in DATA_OPTIONS if options.get(key) is not None
    }
    if "size" in values:
        values["size"] = Size.of(values["size"]).plain
    if "labels" in values:
        values["labels"] = home(values["labels"])
    return [f"data.{option}={value!r}" for option, value in values.items()]


def metric_parts(
    chosen: str | Callable[..., Any] | Sequence[str | Callable[..., Any]],
) -> dict[str, spec.Part]:
    """Return metrics that this call names, so that their code may run. Raises UsageError."""
    return metrics.own(chosen, spec.OwnFiles(trusted=None))


def trusted(files: Iterable[File] | None) -> frozenset[str]:
    """Return the SHA-256 digests of the user's own files that may run.

    Raises UsageError for a file that cannot be read.
    """
    return frozenset(spec.own_code(home(file), spec.OwnFiles()).digest for file in files or ())


def closest(option: str, names: Iterable[str]) -> str | None:
    """Return the name for a mistyped option: a known synonym, or the closest name, or None."""
    plain = {name.lstrip("-").replace("-", "_"): name for name in names}
    plain_option = option.lstrip("-").replace("-", "_")
    close = difflib.get_close_matches(plain_option, plain, n=1, cutoff=_CLOSE)
    meant = _OTHER_WORDS.get(plain_option, close[0] if close else "")
    return plain.get(meant)


def path(value: File | None) -> Path | None:
    """Return a path with ~ expanded; None stays None."""
    return None if value is None else expanded(value)


def home(text: File) -> str:
    """Return a name or a path as text, with a leading ~ expanded."""
    return expanded_text(text)
