"""What a recipe may ask and this engine does not do: refused in one sentence, never left out."""

from collections.abc import Sequence

from hundredfold import spec
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.spec import Call


def refuse(what: Recipe) -> None:
    """Raise UsageError for what a recipe may ask and this engine does not do."""
    calls, remedy = spec.parse_chain(what.augment), '--augment "flip | shift | zoom | rotate"'
    _need("augmentation", calls, "augment", remedy)
    _need("optimizer", [spec.parse(what.optimizer)], "optimizers", "--optimizer adam")
    refused = {
        "resolution": (what.resolution != "full", "--resolution full"),
        "loss": (what.loss != "cross_entropy(label_smoothing=0.0)", "--loss cross_entropy"),
        "ema": (what.ema != 0, "--set ema=0"),
        "micro_batch": (what.micro_batch != 0, "--set micro_batch=0"),
    }
    for field, (wrong, remedy) in refused.items():
        if wrong:
            raise UsageError(
                f"the TensorFlow engine does not take {field} = {getattr(what, field)!r}",
                remedy=remedy,
            )


def _need(kind: str, calls: Sequence[Call], module: str, remedy: str) -> None:
    known = spec.names(f"hundredfold.engines.tensorflow.{module}")
    for one in calls:
        if one.name not in known:
            raise UsageError(
                f"the TensorFlow engine has no {kind} {one.name!r}",
                found=f"it has {', '.join(known)}",
                remedy=remedy,
            )
