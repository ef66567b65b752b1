"""`hundredfold recipes`: what ships, and one of them in full."""

import sys
from typing import Any

from hundredfold import recipes as files
from hundredfold import studies
from hundredfold.cli._table import table
from hundredfold.errors import UsageError, did_you_mean


def recipes(name: str | None = None, *, json: bool = False) -> dict[str, Any]:
    """List the recipes and studies that ship, or show one as it would be trained.

    Parameters
    ----------
    name
        A recipe or a study to show in full, as TOML; copy it to a file to change it.
    json
        Print one JSON object.
    """
    if name is not None:
        return _one(name, json)
    ready = {key: files.load(key) for key in files.shipped("")}
    plans = {key: studies.load(key) for key in files.shipped("studies")}
    if not json:
        rows = [(key, what.data.name, what.title) for key, what in ready.items()]
        sys.stdout.write(table(("recipe", "data", "title"), rows, left=3) + "\n")
        kinds = [(key, f"{what.seeds}", what.title) for key, what in plans.items()]
        sys.stdout.write(table(("study", "seeds", "title"), kinds, left=3))
    return {
        "recipes": {key: what.model_dump() for key, what in ready.items()},
        "studies": {key: what.model_dump(exclude={"file"}) for key, what in plans.items()},
    }


def _one(name: str, json: bool) -> dict[str, Any]:
    plans, known = files.shipped("studies"), files.shipped("")
    if name in plans:
        variants = studies.variants(studies.load(name))
        if not json:
            sys.stdout.write(plans[name].read_text(encoding="utf-8"))
        return {"study": name, "variants": {k: what.model_dump() for k, what in variants.items()}}
    if not name.endswith(".toml") and name not in known:
        remedy = did_you_mean(name, [*known, *plans])
        raise UsageError(f"no recipe or study is called {name!r}", remedy=remedy)
    what = files.load(name)
    if not json:
        sys.stdout.write(what.toml())
    return {"recipe": name, "digest": what.digest, **what.model_dump()}
