"""What a recipe may ask and this engine does not do: refused in one sentence, never left out."""

from collections.abc import Sequence

from hundredfold import spec
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.spec import Part
from hundredfold.strategies import Strategy

_STRATEGIES = "scratch, linear_probe(), or fine_tune(rate=1.0), of a keras_application"


def refuse(what: Recipe) -> None:
    """Raise UsageError for what a recipe may ask and this engine does not do."""
    remedy = '--augment "flip | shift | zoom | rotate"'
    _need("augmentation", what.augment, "augment", remedy)
    _need("optimizer", [what.optimizer], "optimizers", "--optimizer adam")
    strategy: Strategy = what.strategy.resolve()()
    plain_loss = "cross_entropy(label_smoothing=0.0)"
    refused = {
        "resolution": (str(what.resolution) != "full", "--resolution full"),
        "loss": (str(what.loss) != plain_loss, "--loss cross_entropy"),
        "model": (what.model.own is not None, "--engine pytorch, for a network of your own"),
        "strategy": (not _can(strategy, what.model.name), _STRATEGIES),
        "ema": (what.ema != 0, "--set ema=0"),
        "micro_batch": (what.micro_batch != 0, "--set micro_batch=0"),
    }
    for field, (wrong, remedy) in refused.items():
        if wrong:
            raise UsageError(
                f"the TensorFlow engine does not take {field} = {str(getattr(what, field))!r}",
                remedy=remedy,
            )


def _can(strategy: Strategy, model: str) -> bool:
    """Tell whether this engine can carry a strategy out."""
    if not strategy.pretrained:
        return True
    plain = strategy.layer_decay == 1 and not (
        strategy.freeze or strategy.cut or strategy.fits_head
    )
    return plain and strategy.rate in (0, 1) and model == "keras_application"


def _need(kind: str, parts: Sequence[Part], module: str, remedy: str) -> None:
    known = spec.names(f"hundredfold.engines.tensorflow.{module}")
    for one in parts:
        if one.name not in known:
            raise UsageError(
                f"the TensorFlow engine has no {kind} {one.name!r}",
                found=f"it has {', '.join(known)}",
                remedy=remedy,
            )
