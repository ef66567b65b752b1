"""Train a new head and most of a network that has learned elsewhere."""

from typing import Literal

from hundredfold.errors import UsageError
from hundredfold.strategies._strategy import QUARTERS, Strategy


def fine_tune(
    *,
    rate: float = 0.1,
    layer_decay: float = 1.0,
    freeze: int = 0,
    input_size: int = 0,
    cut: int = 0,
    head: Literal["random_init", "ridge", "logistic"] = "random_init",
    dropout: float = 0.2,
) -> Strategy:
    """Train a head, and the network under it at a lower learning rate.

    rate: learning rate of the network's last quarter as a share of the head's, above 0.
    layer_decay: share by which the rate falls for each quarter towards the image, in (0, 1].
        Quarters are of the list of the network's weight tensors.
    freeze: quarters that stay as they are, 0 to 3, beginning at the image, where features are
        the most general. 1 freezes the stem and about two of DenseNet-169's four blocks.
    input_size: pixels that images are resized to; see `linear_probe`.
    cut: keep this many groups of the network; see `linear_probe`.
    head: how the head begins; solved heads spare the network the gradients of a random one
        (Kumar et al. 2022, arXiv:2202.10054).
    dropout: probability that a feature is dropped in training, in [0, 1).

    BatchNorm stays in inference mode, with the statistics that came with the weights.
    """
    if rate <= 0 or not 0 < layer_decay <= 1:
        raise UsageError(
            f"invalid strategy: rate = {rate}, layer_decay = {layer_decay}",
            found="a rate is above 0, a layer_decay in (0, 1]",
            remedy="fine_tune(rate=0.1, layer_decay=0.5), or linear_probe() to freeze the network",
        )
    if not 0 <= freeze < QUARTERS:
        raise UsageError(
            f"invalid strategy: freeze = {freeze}, must be 0 to {QUARTERS - 1}",
            remedy="fine_tune(freeze=1), or linear_probe() to freeze all of it",
        )
    return Strategy(
        pretrained=True,
        rate=rate,
        layer_decay=layer_decay,
        freeze=freeze,
        input_size=input_size,
        cut=cut,
        head=head,
        dropout=dropout,
    )
