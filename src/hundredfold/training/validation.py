"""Score the validation images during a training."""

from hundredfold.data import Split
from hundredfold.metrics import scores
from hundredfold.training.protocols import Learner

_METRICS = {"loss": "loss", "top_1": "top_k(k=1)"}


def curve_scores(learner: Learner, split: Split) -> dict[str, float]:
    """Return the loss and the accuracy of a learner on a split; {} for an empty one."""
    if not len(split):
        return {}
    logits = learner.logits(split.pixels, split.indices)
    values = scores(logits, split.labels[split.indices], metrics=_METRICS)
    return {f"validation.{name}": score.value for name, score in values.items()}
