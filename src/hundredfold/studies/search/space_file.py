"""Read a space from a file of the user's.

"optimizer.lr" = [0.01, 1.0]                                  # from 0.01 to 1.0
"optimizer.weight_decay" = { low = 1e-5, high = 1e-2, log = true }
"model.depth" = [16, 22, 28]                                  # one of these
"model.width" = { choices = [2, 4] }                          # one of two numbers
"schedule" = ["cosine", "linear"]                             # a whole part
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hundredfold import recipes
from hundredfold.errors import HundredfoldError, UsageError, did_you_mean, shortened
from hundredfold.recipe import PACKAGES, Recipe
from hundredfold.spec import OneOf, Range
from hundredfold.studies.search.space import Dimension, applied, current, is_whole, limits

_FIELDS = ("batch_size", "ema", "balance", *(field for field in PACKAGES if field != "data"))
_MOST = 50  # options
_CHOICES = 100
_KEYS = {"low", "high", "log", "choices"}
_EXAMPLE = "[0.01, 1.0], { low = 0.01, high = 1.0, log = true } or a list of choices"


def read_space(path: Path, recipe: Recipe) -> tuple[Dimension, ...]:
    """Return the dimensions of a file, each checked on the recipe at its bounds.

    Raises UsageError for a file that cannot be read, an unknown option, a range or a choice that
    the option does not allow, and an empty file.
    """
    entries = _flat(recipes.read_toml(path, "space"))
    if not entries:
        raise UsageError(
            f"the space {shortened(str(path))} is empty", remedy=f'"optimizer.lr" = {_EXAMPLE}'
        )
    if len(entries) > _MOST:
        raise UsageError(f"a space has at most {_MOST} options, not {len(entries):,}")
    return tuple(_dimension(option, entry, recipe) for option, entry in entries.items())


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return option -> its entry; `optimizer.lr` without quotes is a table in a table."""
    flat: dict[str, Any] = {}
    for key, entry in table.items():
        if isinstance(entry, Mapping) and entry and not entry.keys() & _KEYS:
            flat |= {f"{key}.{name}": inner for name, inner in entry.items()}
        else:
            flat[key] = entry
    return flat


def _dimension(option: str, entry: Any, recipe: Recipe) -> Dimension:
    _need_searchable(option)
    try:
        _need_option(recipe, option)
        dimension = _parsed(option, entry, recipe)
        tried = dimension.choices or (dimension.low, dimension.high)
        for value in tried:
            applied(recipe, {option: value})
    except HundredfoldError as error:
        raise UsageError(
            f"the space's {shortened(option)}: {error.message}",
            found=error.found,
            remedy=error.remedy,
        ) from None
    return dimension


def _need_option(recipe: Recipe, option: str) -> None:
    """Raise UsageError where no part of the recipe takes an option, as setting it does."""
    try:
        current(recipe, option)
    except StopIteration:
        recipe.override({}, [f"{option}=0"])


def _need_searchable(option: str) -> None:
    field, dot, _ = option.partition(".")
    if field not in _FIELDS or (dot and field not in PACKAGES):
        raise UsageError(
            f"a search cannot vary {shortened(option)}",
            found="it varies options of parts, such as optimizer.lr, and some fields",
            remedy=did_you_mean(field, _FIELDS),
        )


def _parsed(option: str, entry: Any, recipe: Recipe) -> Dimension:
    if isinstance(entry, Mapping):
        unknown = entry.keys() - _KEYS
        if unknown or not ({"low", "high"} <= entry.keys() or entry.keys() == {"choices"}):
            raise _invalid(entry)
        if "choices" in entry:
            return _chosen(option, entry["choices"])
        log = entry.get("log", False)
        if not isinstance(log, bool):
            raise _invalid(entry)
        return _ranged(option, entry["low"], entry["high"], log, recipe)
    if isinstance(entry, list) and len(entry) == 2 and all(map(_is_number, entry)):
        return _ranged(option, entry[0], entry[1], False, recipe)
    return _chosen(option, entry)


def _chosen(option: str, entry: Any) -> Dimension:
    simple = isinstance(entry, list) and all(isinstance(c, str | int | float) for c in entry)
    if not simple or not 2 <= len(entry) <= _CHOICES or len({str(c) for c in entry}) < len(entry):
        raise _invalid(entry)
    return Dimension(option, choices=tuple(entry))


def _ranged(option: str, low: Any, high: Any, log: bool, recipe: Recipe) -> Dimension:
    if not _is_number(low) or not _is_number(high) or not low < high:
        raise UsageError(f"[{low}, {high}] is not a range", remedy="the lower number first")
    if log and low <= 0:
        raise UsageError(f"low = {low} has no logarithm", remedy="low above 0, or without log")
    if not _is_number(current(recipe, option)):
        raise UsageError("it is no number, so it has no range", remedy="a list of choices")
    allowed = limits(recipe, option)
    if isinstance(allowed, OneOf) or (isinstance(allowed, Range) and allowed.step):
        raise UsageError(f"it is {allowed}, which is no range", remedy="a list of choices")
    whole = is_whole(recipe, option)
    if whole and not (isinstance(low, int) and isinstance(high, int)):
        raise UsageError(f"[{low}, {high}] are not whole numbers, and it takes only those")
    if not whole:
        low, high = float(low), float(high)
    return Dimension(option, low, high, log, whole)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _invalid(entry: Any) -> UsageError:
    return UsageError(f"{shortened(str(entry))} is no range and no choices", remedy=_EXAMPLE)
