"""Train a new head and most of a pretrained network."""

from typing import Literal

from hundredfold.errors import UsageError
from hundredfold.strategies._strategy import QUARTERS, Strategy


def fine_tune(
    *,
    rate: float = 0.1,
    layer_decay: float = 1.0,
    freeze: int = 0,
    groups: int = 0,
    views: int = 0,
    input_size: int = 0,
    cut: int = 0,
    head: Literal["random_init", "ridge", "logistic", "best"] = "random_init",
    dropout: float = 0.2,
) -> Strategy:
    """Train a new head, and the pretrained network at a lower learning rate.

    rate: learning rate of the network's last quarter as a fraction of the head's, above 0.
    layer_decay: factor on the rate for each further quarter of the list of the network's weight
        tensors towards the input, in (0, 1].
    freeze: number of quarters that are not trained, 0 to 3, from the input on, where features are
        the most general. 1 freezes the stem and about two of DenseNet-169's four blocks.
    groups: train only this many of the network's last groups and the head, without `freeze`; 0
        trains all. For the number of groups see `cut` of `linear_probe`.
    views: with `groups`, compute the activations of the frozen groups once, for this many versions
        of each image: one as it is, the others augmented. 0 computes them anew for every step.
    input_size, cut: as in `linear_probe`. dropout: probability on the features, in [0, 1).
    head: initialisation of the head. "ridge" and "logistic" fit it to features first, so the
        network does not receive the gradients of a random head (Kumar et al. 2022,
        arXiv:2202.10054); "best" takes the better of the two on the validation images.

    BatchNorm stays in inference mode, with the statistics of the weights that were loaded.
    Raises UsageError for a value out of range.
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
    if (groups and freeze) or (views and not groups):
        raise UsageError(
            f"invalid strategy: groups = {groups}, freeze = {freeze}, views = {views}",
            found="groups replaces freeze, and views needs groups",
            remedy="fine_tune(groups=2, views=2)",
        )
    return Strategy(
        pretrained=True,
        rate=rate,
        layer_decay=layer_decay,
        freeze=freeze,
        groups=groups,
        views=views,
        input_size=input_size,
        cut=cut,
        head=head,
        dropout=dropout,
    )
