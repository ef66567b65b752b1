"""Train a new head and most of a pretrained network."""

from typing import Annotated, Literal

from hundredfold.errors import UsageError
from hundredfold.spec import BelowOne, PixelsOrAuto, PositiveFraction, Range
from hundredfold.strategies._strategy import Strategy


def fine_tune(
    *,
    rate: Annotated[float, Range(0, 100, open_low=True)] = 0.1,
    layer_decay: PositiveFraction = 1.0,
    freeze: Annotated[int, Range(0, 3)] = 0,
    groups: Annotated[int, Range(0, 100)] = 0,
    views: Annotated[int, Range(0, 100)] = 0,
    input_size: PixelsOrAuto = 0,
    cut: Annotated[int, Range(0, 100)] = 0,
    head: Literal["random_init", "ridge", "logistic", "best"] = "random_init",
    dropout: BelowOne = 0.2,
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
    Raises UsageError for options that exclude each other.
    """
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
