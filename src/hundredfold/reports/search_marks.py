"""How the trials of a search are told apart on its page, and how options are written."""

from collections.abc import Mapping
from typing import Any

from hundredfold import wording
from hundredfold.reports import charts


def winner_of(search: Mapping[str, Any]) -> int | None:
    """Return the number of the best trial of a finished search."""
    number = (search.get("result") or {}).get("winner")
    return None if number is None else int(number)


def drawn_last(search: Mapping[str, Any], trial: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    """Return the key by which trials are drawn: the stopped first, the best above all."""
    best = trial["number"] == winner_of(search)
    return best, is_untuned(search, trial), trial["state"] == "done"


def is_untuned(search: Mapping[str, Any], trial: Mapping[str, Any]) -> bool:
    """Return whether a trial has the options of the recipe itself."""
    return bool(trial["values"] == (search.get("untuned") or {}))


def style(search: Mapping[str, Any], trial: Mapping[str, Any]) -> str:
    """Return the classes of a trial's line: orange the best, green the recipe, grey the stopped."""
    if trial["number"] == winner_of(search):
        return charts.colour(1)
    if is_untuned(search, trial):
        return charts.colour(2)
    return f"{charts.colour(0)} thin" if trial["state"] == "done" else f"{charts.colour(3)} thin"


def text_of(value: Any) -> str:
    """Return an option's value as text; numbers with four digits."""
    plain_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.4g}" if plain_number else wording.NOTHING if value is None else str(value)
