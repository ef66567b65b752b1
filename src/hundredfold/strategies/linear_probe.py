"""Train a linear head on the features of a network that stays as it is."""

from typing import Literal

from hundredfold.errors import UsageError
from hundredfold.strategies._strategy import Strategy


def linear_probe(
    *,
    input_size: int = 0,
    cut: int = 0,
    head: Literal["random_init", "ridge", "logistic"] = "random_init",
    views: int = 1,
    dropout: float = 0.2,
) -> Strategy:
    """Train a head on features that are computed once for each image.

    input_size: pixels that images are resized to. 0 takes 128 for smaller images and the images'
        own size from there on, and for weights of a run always the images' own size.
    cut: keep this many groups of the network (VGG 1 to 5; ResNet, DenseNet and ConvNeXt 1 to 4;
        MobileNetV2 and EfficientNet 1 to 7); 0 keeps all.
    head: how the head begins: drawn at random, or solved in closed form or by regression on the
        features, its regularisation chosen by validation.
    views: how often each image is seen: once as it is, then augmented.
    dropout: probability that a feature is dropped in training, in [0, 1).
    """
    if views < 1:
        raise UsageError(
            f"invalid strategy: views = {views}, must be at least 1", remedy="linear_probe(views=4)"
        )
    return Strategy(
        pretrained=True,
        rate=0.0,
        input_size=input_size,
        cut=cut,
        head=head,
        views=views,
        dropout=dropout,
    )
