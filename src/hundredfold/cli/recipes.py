"""`hundredfold recipes`: what ships, and one of them in full."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from hundredfold.api import catalog
from hundredfold.cli._table import table


def recipes(
    name: Annotated[str | None, Parameter(show_default="all")] = None, *, json: bool = False
) -> dict[str, Any]:
    """List the recipes and studies that ship, or show one as it would be trained.

    Parameters
    ----------
    name
        A recipe or a study to show in full, as TOML; copy it to a file to change it.
    json
        Print one JSON object.
    """
    if name is not None:
        text, facts = catalog.found(name)
        if not json:
            sys.stdout.write(text)
        return facts
    ready, plans = catalog.recipes(), catalog.plans()
    if not json:
        rows = [(key, str(one.data).partition("(")[0], one.title) for key, one in ready.items()]
        sys.stdout.write(table(("recipe", "data", "title"), rows, left=3) + "\n")
        kinds = [(key, f"{one.seeds}", one.title) for key, one in plans.items()]
        sys.stdout.write(table(("study", "seeds", "title"), kinds, left=3))
    return {
        "recipes": {key: one.model_dump() for key, one in ready.items()},
        "studies": {key: one.model_dump(exclude={"file"}) for key, one in plans.items()},
    }
