"""Train a head on the features of a frozen network."""

from typing import Annotated, Literal

from hundredfold.spec import BelowOne, PixelsOrAuto, Range
from hundredfold.strategies._strategy import Strategy


def linear_probe(
    *,
    input_size: PixelsOrAuto = 0,
    cut: Annotated[int, Range(0, 100)] = 0,
    head: Literal["random_init", "ridge", "logistic", "best"] = "random_init",
    views: Annotated[int, Range(1, 100)] = 1,
    dropout: BelowOne = 0.2,
    from_groups: tuple[Annotated[int, Range(1, 100)], ...] = (),
    with_maxima: bool = False,
    hidden: Annotated[int, Range(0, 65_536)] = 0,
) -> Strategy:
    """Train a head on features that are computed once for each image.

    input_size: pixels that images are resized to, one number or "HEIGHTxWIDTH". 0 enlarges
        images of fewer pixels than 128x128 to as many, in their aspect, and keeps larger ones;
        with weights of a run it keeps every size.
    cut: keep this many groups of the network (VGG 1 to 5; ResNet, DenseNet and ConvNeXt 1 to 4;
        MobileNetV2 and EfficientNet 1 to 7); 0 keeps all.
    head: initialisation of the head: at random, or fitted to the features by ridge or logistic
        regression, whose regularisation is chosen on the validation images; "best" takes the
        better of the two there.
    views: number of versions of each image, at least 1: one as it is, the others augmented.
    dropout: probability on the features, and on the hidden layer, in [0, 1).
    from_groups: take the mean of the maps of several groups together as features, such as
        [3, 4, 5] of a VGG: earlier groups know textures, later ones objects. The last group of
        all stands for the network's own features; [] takes those alone.
    with_maxima: take the maximum of each map as a feature too, beside its mean.
    hidden: units of a hidden layer with ReLU in the head, which then begins at random; 0 is none.

    Raises UsageError for options that exclude each other.
    """
    return Strategy(
        pretrained=True,
        rate=0.0,
        input_size=input_size,
        cut=cut,
        head=head,
        views=views,
        dropout=dropout,
        from_groups=from_groups,
        with_maxima=with_maxima,
        hidden=hidden,
    )
