"""Refuse settings of a recipe that the TensorFlow engine does not support."""

from collections.abc import Sequence

from hundredfold import spec
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.spec import Part
from hundredfold.strategies import Strategy

_STRATEGIES = "scratch, linear_probe(), or fine_tune(rate=1.0), of a keras_application"


def refuse(recipe: Recipe) -> None:
    """Raise UsageError for the first setting that this engine does not support."""
    remedy = '--augment "flip | shift | zoom | rotate"'
    _need("augmentation", recipe.augment, "augment", remedy)
    _need("optimizer", [recipe.optimizer], "optimizers", "--optimizer adam")
    strategy: Strategy = recipe.strategy.resolve()()
    plain_loss = "cross_entropy(label_smoothing=0.0)"
    refused = {
        "resolution": (str(recipe.resolution) != "full", "--resolution full"),
        "loss": (str(recipe.loss) != plain_loss, "--loss cross_entropy"),
        "model": (recipe.model.own is not None, "--engine pytorch, for a network of your own"),
        "strategy": (not _can(strategy, recipe.model.name), _STRATEGIES),
        "ema": (recipe.ema != 0, "--set ema=0"),
        "balance": (recipe.balance != "none", "--balance none, or --engine pytorch"),
        "micro_batch": (recipe.micro_batch != 0, "--set micro_batch=0"),
    }
    for field, (wrong, remedy) in refused.items():
        if wrong:
            raise UsageError(
                f"the TensorFlow engine does not take {field} = {str(getattr(recipe, field))!r}",
                remedy=remedy,
            )


def _can(strategy: Strategy, model: str) -> bool:
    """Return whether this engine supports a strategy for a model."""
    if not strategy.pretrained:
        return True
    plain = strategy.layer_decay == 1 and not any((
        strategy.freeze, strategy.groups, strategy.cut, strategy.from_groups,
        strategy.with_maxima, strategy.hidden, strategy.fits_head,
    ))  # fmt: skip
    return plain and strategy.rate in (0, 1) and model == "keras_application"


def _need(kind: str, parts: Sequence[Part], module: str, remedy: str) -> None:
    names = spec.names(f"hundredfold.engines.tensorflow.{module}")
    for part in parts:
        if part.name not in names:
            raise UsageError(
                f"the TensorFlow engine has no {kind} {part.name!r}",
                found=f"it has {', '.join(names)}",
                remedy=remedy,
            )
