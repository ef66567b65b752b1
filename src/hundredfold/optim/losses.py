"""Losses of logits (batch, classes) and targets (batch, classes), whose rows sum to 1."""

from torch import Tensor
from torch.nn import functional

from hundredfold.spec import BelowOne


def cross_entropy(logits: Tensor, targets: Tensor, *, label_smoothing: BelowOne = 0.0) -> Tensor:
    """Return the batch's mean cross-entropy in nats.

    label_smoothing: fraction of the target that is spread evenly over all classes, in [0, 1)
    (Szegedy et al. 2016, arXiv:1512.00567, section 7).
    """
    return functional.cross_entropy(logits, targets, label_smoothing=label_smoothing)
