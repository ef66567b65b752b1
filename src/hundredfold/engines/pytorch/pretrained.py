"""Check that a recipe's parts fit the strategy of a pretrained network."""

from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.strategies import Strategy


def need_fitting(recipe: Recipe, strategy: Strategy) -> None:
    """Raise UsageError for settings that a frozen network ignores, or a probe cannot use."""
    if strategy.frozen and (strategy.views > 1) != bool(recipe.augment):
        raise UsageError(
            f"linear_probe with views = {strategy.views} and augment = {str(recipe.augment)!r}",
            found="the first view is the images as they are, each further one is augmented",
            remedy="--set strategy.views=4 with --augment flip, or views=1 with --augment none",
        )
    if strategy.frozen and recipe.resolution.name != "full":
        raise UsageError("a frozen network has one resolution", remedy="--resolution full")
    if strategy.pretrained and strategy.head != "random_init" and not recipe.validation:
        raise UsageError(
            f"head = {strategy.head!r} chooses its strength by validation, and validation = 0",
            remedy="--set strategy.head='random_init', or --set validation=0.1",
        )
