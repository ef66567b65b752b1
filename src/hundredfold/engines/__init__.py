"""What computes: `engine_for` chooses the engine of a recipe, and nothing else does."""

import importlib

from hundredfold.recipe import Recipe
from hundredfold.training.protocols import Engine


def engine_for(recipe: Recipe) -> Engine:
    """Return the engine that trains a recipe and opens its runs.

    An engine is a package of this folder with an object ENGINE; others are not imported.
    """
    engine: Engine = importlib.import_module(f"hundredfold.engines.{recipe.engine}").ENGINE
    return engine
