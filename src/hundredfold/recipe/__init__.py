"""A recipe: all settings that determine the results of a training."""

from hundredfold.recipe._parts import PACKAGES, TENSORFLOW_MODELS
from hundredfold.recipe._recipe import Recipe, from_fields, limits_of_field

QUICK = {"epochs": 2, "limit": 2048}  # --quick: a short run to test a setup

__all__ = ["PACKAGES", "QUICK", "TENSORFLOW_MODELS", "Recipe", "from_fields", "limits_of_field"]
