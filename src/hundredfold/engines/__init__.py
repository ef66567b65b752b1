"""Engines compute; `engine_for` returns the engine of a recipe."""

import importlib

from hundredfold.recipe import Recipe
from hundredfold.training.protocols import Engine


def engine_for(recipe: Recipe) -> Engine:
    """Return the engine that trains a recipe and opens its runs.

    An engine is a package in this folder with an object ENGINE; only that one is imported.
    """
    engine: Engine = importlib.import_module(f"hundredfold.engines.{recipe.engine}").ENGINE
    return engine
