"""The flags of `train`: one for each recipe field, and those of the command."""

from inspect import Parameter as Argument
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter

from hundredfold.api.options import COMMAND_DEFAULTS, CommandOptions, File
from hundredfold.recipe import Recipe, limits_of_field
from hundredfold.size import SizeLike

_SPELLINGS = {
    "batch_size": ("--batch-size", "--batch"),
    "image_size": ("--image-size", "--imgsz"),
}
_RECIPE = Group("Recipe (defaults are those without a recipe)", sort_key=1)
_OPTIONS = Group("Options", sort_key=2)
_OUTPUT = {
    "dry_run": "Print the recipe's cost in time and disk space; train and write nothing.",
    "json": "Print one JSON object.",
}


def train_signature() -> Signature:
    """Return the signature of the verb `train`, from the recipe fields and the options."""
    recipe = Annotated[
        str,
        Parameter(
            name="recipe",
            allow_leading_hyphen=False,
            show_default="none",
            help="A recipe that ships (see hundredfold recipes) or a .toml file. Without one: "
            "Keras' defaults, a simple CNN, Adam, batches of 128, early stopping with patience 25.",
        ),
    ]
    first = Argument("recipe", Argument.POSITIONAL_ONLY, default="", annotation=recipe)
    return Signature([first, *_of_recipe(), *_of_command(), *_of_output()])


def _of_recipe() -> list[Argument]:
    return [
        _flag(name, _kind(field.annotation) | None, None, _words(name), field.default, _RECIPE)
        for name, field in Recipe.model_fields.items()
        if get_origin(field.annotation) is not dict  # set by training, not by the user
    ]


def _of_command() -> list[Argument]:
    flags = []
    for name, hint in get_type_hints(CommandOptions, include_extras=True).items():
        kind, *_, words = get_args(hint)
        default = COMMAND_DEFAULTS[name]
        if kind == File:  # a name or a folder
            kind = str if default == "" else Path
        elif kind == File | None:
            kind = Path | None
        elif kind == SizeLike | None:
            kind = str | None
        elif kind == int | str:
            kind = str
        flags.append(_flag(name, kind, default, words, default, _OPTIONS))
    return flags


def _of_output() -> list[Argument]:
    return [_flag(name, bool, False, words, False, _OPTIONS) for name, words in _OUTPUT.items()]


def _flag(
    name: str, kind: Any, default: Any, words: str | None, shown: Any, group: Group
) -> Argument:
    parameter = Parameter(
        name=_SPELLINGS.get(name, f"--{name.replace('_', '-')}"),
        help=words,
        group=group,
        show_default=_shown(shown),
        negative="",
    )
    return Argument(
        name, Argument.KEYWORD_ONLY, default=default, annotation=Annotated[kind, parameter]
    )


def _words(name: str) -> str:
    """Return the help of a recipe's field, with the range of its number."""
    limits = limits_of_field(name)
    range_of = f" {limits}".replace(" a n", " A n") + "." if limits else ""
    return f"{Recipe.model_fields[name].description}{range_of}"


def _kind(annotation: Any) -> Any:
    """Return the type of a flag: numbers and choices as annotated, everything else as text."""
    if get_origin(annotation) is Literal or annotation in (int, float, bool):
        return annotation
    return float if float in get_args(annotation) else str


def _shown(default: Any) -> str:
    """Return a default as text for the help."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "none" if default is None or default == "" else str(default)
