"""`hundredfold runs compare`: compare two runs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hundredfold import wording
from hundredfold.api import housekeeping
from hundredfold.api.housekeeping import TwoRuns
from hundredfold.cli._table import table


def compare(
    first: str, second: str, /, *, out: Path = Path("runs"), json: bool = False
) -> dict[str, Any]:
    """Compare two runs: what their recipes differ in, their scores, and a test on the same images.

    The test pairs the stored predictions image by image: of the test split where both runs have
    been evaluated on it, else of the validation images.

    Parameters
    ----------
    first
        A run, by name or folder, or "latest".
    second
        Another run.
    out
        The folder of the runs.
    json
        Print one JSON object.
    """
    found = housekeeping.compare(first, second, out)
    if not json:
        _say(found)
    return found.to_json()


def _say(found: TwoRuns) -> None:
    rows = [(each.field, each.first or "-", each.second or "-") for each in found.recipe]
    recipe = table(("recipe", found.first, found.second), rows, left=3)
    scores = [(key, _score(one), _score(other)) for key, (one, other) in found.scores.items()]
    sys.stdout.write(recipe if rows else "the recipes are the same\n")
    if scores:
        sys.stdout.write("\n" + table(("score", found.first, found.second), scores))
    sys.stdout.write(f"\n{found.sentence}\n")


def _score(score: Mapping[str, Any]) -> str:
    """Return a score with its interval: "0.5120 (0.5020 to 0.5220)"."""
    value, low, high = (score.get(key) for key in ("value", "low", "high"))
    if value is None:
        return "-"
    inside = "" if low is None or high is None else f" ({low:.4f} to {high:.4f})"
    return wording.decimal(value, 4) + inside
