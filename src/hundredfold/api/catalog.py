"""The recipes and studies that ship, or lie in a file."""

from typing import Any

from hundredfold import recipes as files
from hundredfold import studies
from hundredfold.api.options import home
from hundredfold.errors import UsageError, did_you_mean
from hundredfold.recipe import Recipe


def recipes() -> dict[str, Recipe]:
    """Return name -> recipe of those that ship."""
    return {name: files.load(name) for name in files.shipped("")}


def plans() -> dict[str, studies.Study]:
    """Return name -> study of those that ship."""
    return {name: studies.load(name) for name in files.shipped("studies")}


def found(name: str) -> tuple[str, dict[str, Any]]:
    """Return the text of a recipe or of a study, and what --json says of it.

    Raises UsageError with "did you mean" for a name that is not there.
    """
    shipped, known = files.shipped("studies"), files.shipped("")
    if name in shipped:
        variants = studies.variants(studies.load(name))
        facts = {"study": name, "variants": {k: one.model_dump() for k, one in variants.items()}}
        return shipped[name].read_text(encoding="utf-8"), facts
    if not name.endswith(".toml") and name not in known:
        remedy = did_you_mean(name, [*known, *shipped])
        raise UsageError(f"no recipe or study is called {name!r}", remedy=remedy)
    what = files.load(home(name))
    return what.toml(), {"recipe": name, "digest": what.digest, **what.model_dump()}
