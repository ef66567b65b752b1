"""`hundredfold recipes`: list the recipes and studies that ship, or show one in full."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from hundredfold.api import catalog
from hundredfold.cli._table import table


def recipes(
    name: Annotated[str | None, Parameter(show_default="all")] = None, *, json: bool = False
) -> dict[str, Any]:
    """List the recipes and studies that ship, or show one with every default.

    Parameters
    ----------
    name
        A recipe or a study to show in full, as TOML; copy it to a file to change it.
    json
        Print one JSON object.
    """
    if name is not None:
        text, facts = catalog.describe(name)
        if not json:
            sys.stdout.write(text)
        return facts
    ready, plans = catalog.recipes(), catalog.plans()
    if not json:
        rows = [
            (key, str(entry.data).partition("(")[0], entry.title) for key, entry in ready.items()
        ]
        sys.stdout.write(table(("recipe", "data", "title"), rows, left=3) + "\n")
        kinds = [(key, f"{entry.seeds}", entry.title) for key, entry in plans.items()]
        sys.stdout.write(table(("study", "seeds", "title"), kinds, left=3))
    return {
        "recipes": {key: entry.model_dump() for key, entry in ready.items()},
        "studies": {key: entry.model_dump(exclude={"file"}) for key, entry in plans.items()},
    }
