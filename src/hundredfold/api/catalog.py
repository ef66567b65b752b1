"""The recipes and studies that ship, or that a file defines."""

from typing import Any

from hundredfold import recipes as files
from hundredfold import studies
from hundredfold.api.options import home
from hundredfold.errors import UsageError, did_you_mean
from hundredfold.recipe import Recipe


def recipes() -> dict[str, Recipe]:
    """Return name -> recipe of all recipes that ship."""
    return {name: files.load(name) for name in files.shipped("")}


def plans() -> dict[str, studies.Study]:
    """Return name -> study of all studies that ship."""
    return {name: studies.load(name) for name in files.shipped("studies")}


def describe(name: str) -> tuple[str, dict[str, Any]]:
    """Return the TOML text of a recipe or a study, and its fields for --json.

    Raises UsageError with "did you mean" for an unknown name.
    """
    shipped, recipe_names = files.shipped("studies"), files.shipped("")
    if name in shipped:
        variants = studies.variants(studies.load(name))
        facts = {
            "study": name,
            "variants": {k: recipe.model_dump() for k, recipe in variants.items()},
        }
        return shipped[name].read_text(encoding="utf-8"), facts
    if not name.endswith(".toml") and name not in recipe_names:
        remedy = did_you_mean(name, [*recipe_names, *shipped])
        raise UsageError(f"no recipe or study is called {name!r}", remedy=remedy)
    recipe = files.load(home(name))
    return recipe.toml(), {"recipe": name, "digest": recipe.digest, **recipe.model_dump()}
