"""The space of a search: which options of a recipe vary, and within which bounds.

Without a file it follows from the recipe's parts:

| option | range around the value x of the recipe |
|---|---|
| learning rates, weight decay | x / 10 to 10 x, logarithmic |
| label smoothing | 0 to 0.2, or to 2 x |
| strength of an augmentation | 0 to 2 x; a probability 0 to 1 |
| width of a network without pretrained weights | x / 2 to 2 x, logarithmic |

An option that the recipe turns off by 0 stays off, except label smoothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hundredfold.recipe import PACKAGES, Recipe, limits_of_field
from hundredfold.spec import Chain, Limits, Option, Part

Value = Any  # a number, text, True or False

_FACTOR = 10.0  # of rates and weight decay
_SMOOTHING = 0.2
_RATES = ("lr", "sgd_lr", "weight_decay")
_STRENGTHS = ("pixels", "degrees", "horizontal", "vertical", "size")
_CHANCES = ("cutmix", "cutout", "erase", "mixup")  # augmentations whose probability is a strength
_DIGITS = 4  # of a number that is tried


@dataclass(frozen=True)
class Dimension:
    """What may vary of one option, such as "optimizer.lr", or of one field, such as "batch_size".

    low, high: bounds of a number, both tried. log: whether its logarithm is drawn evenly.
    whole: whether it is a whole number. choices: the values, in place of bounds.
    """

    option: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[Value, ...] = ()

    def __contains__(self, value: object) -> bool:
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high

    def nearest(self, value: Value) -> Value | None:
        """Return a recipe's value moved into the bounds; None for one that is not a choice."""
        if self.choices:
            return value if value in self.choices else None
        return min(max(value, self.low), self.high)

    def readable(self, value: float) -> float:
        """Return a drawn number with four digits, as a recipe writes it, within the bounds."""
        if self.whole:
            return int(value)
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def to_json(self) -> dict[str, Any]:
        """Return the dimension for search.json."""
        if self.choices:
            return {"option": self.option, "choices": [str(choice) for choice in self.choices]}
        return {"option": self.option, "low": self.low, "high": self.high, "log": self.log}


def applied(recipe: Recipe, values: Mapping[str, Value]) -> Recipe:
    """Return a recipe with options and fields set to the values of a trial.

    Raises UsageError for a value that the recipe does not take.
    """
    fields = {key: value for key, value in values.items() if "." not in key}
    sets = [f"{key}={value!r}" for key, value in values.items() if "." in key]
    return recipe.override(fields, sets)


def current(recipe: Recipe, option: str) -> Value:
    """Return a recipe's value of an option that its parts take, or of a field."""
    field, _, name = option.partition(".")
    value = getattr(recipe, field)
    if not name:
        return str(value) if field in PACKAGES else value
    return next(part.options[name] for part in parts(recipe, field) if part.takes(name))


def parts(recipe: Recipe, field: str) -> tuple[Part, ...]:
    """Return the parts of a field: those of a chain, or the only one."""
    value = getattr(recipe, field)
    return tuple(value) if isinstance(value, Chain) else (value,)


def signature(recipe: Recipe, option: str) -> Option | None:
    """Return what a part says of its option; None for a field of the recipe."""
    field, _, name = option.partition(".")
    if not name:
        return None
    takers = (part for part in parts(recipe, field) if part.takes(name))
    return next(o for part in takers for o in part.signature.options if o.name == name)


def limits(recipe: Recipe, option: str) -> Limits | None:
    """Return the limits of an option or a field; None where it has none."""
    own = signature(recipe, option)
    return limits_of_field(option) if own is None else own.limits


def is_whole(recipe: Recipe, option: str) -> bool:
    """Return whether an option takes whole numbers only."""
    value, own = current(recipe, option), signature(recipe, option)
    fraction = own is not None and "float" in own.type
    return isinstance(value, int) and not isinstance(value, bool) and not fraction


def default_space(recipe: Recipe) -> tuple[Dimension, ...]:
    """Return the dimensions that a recipe's parts suggest, in the order of its fields."""
    return tuple(_fitted(recipe, dimension) for dimension in _suggested(recipe))


def _suggested(recipe: Recipe) -> Iterator[Dimension]:
    if not recipe.weights:
        for option, value in _numbers(recipe, "model", ("width",)):
            yield Dimension(option, value / 2, 2 * value, log=True)
    yield from _strengths(recipe)
    for option, value in recipe.loss.options.items():
        if option == "label_smoothing":
            yield Dimension(f"loss.{option}", 0.0, max(_SMOOTHING, 2 * value))
    for option, value in _numbers(recipe, "optimizer", _RATES):
        yield Dimension(option, value / _FACTOR, value * _FACTOR, log=True)


def _strengths(recipe: Recipe) -> Iterator[Dimension]:
    """Yield the strengths of augmentations; an option that two of them take is left out."""
    taken = [name for part in recipe.augment for name in part.options]
    for part in recipe.augment:
        for name, value in part.options.items():
            if taken.count(name) > 1:
                continue
            if name == "probability" and part.name in _CHANCES:
                yield Dimension("augment.probability", 0.0, 1.0)
            elif name in _STRENGTHS and value:
                yield Dimension(f"augment.{name}", 0.0, 2.0 * value)


def _numbers(recipe: Recipe, field: str, names: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    """Yield the options of a part that are positive numbers."""
    (part,) = parts(recipe, field)
    for name in names:
        value = part.options.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            yield f"{field}.{name}", float(value)


def _fitted(recipe: Recipe, dimension: Dimension) -> Dimension:
    """Return a dimension within what its option allows, with whole bounds where it needs them."""
    option, allowed = dimension.option, limits(recipe, dimension.option)
    whole = is_whole(recipe, option)
    low, high = dimension.low, dimension.high
    if allowed is not None:
        low = low if low in allowed else allowed.nearest(low)
        high = high if high in allowed else allowed.nearest(high)
        high = high if high in allowed else (current(recipe, option) + high) / 2  # an open bound
    if whole:
        least = 1 if dimension.log else 0
        low, high = max(least, int(low + 0.5)), int(high + 0.5)
    else:
        low, high = (float(f"{bound:.{_DIGITS}g}") for bound in (low, high))
    return Dimension(option, low, high, dimension.log, whole)
