"""Everything that decides a run's numbers, as one frozen value that fits on a page."""

from hundredfold.recipe._parts import PACKAGES, TENSORFLOW_MODELS
from hundredfold.recipe._recipe import Recipe, from_fields

QUICK = {"epochs": 2, "limit": 2048}  # --quick: see that everything works

__all__ = ["PACKAGES", "QUICK", "TENSORFLOW_MODELS", "Recipe", "from_fields"]
