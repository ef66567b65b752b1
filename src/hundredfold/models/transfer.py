"""A backbone that has learned elsewhere, under a new head.

    layer        output at 32 px
    resize       resolution x resolution     bicubic
    scale        3 x resolution x resolution as the weights want it
    backbone     channels                    maps of the last group kept, averaged
    standard     channels                    mean 0, deviation 1 on the training images
    dropout      channels
    classifier   classes

    backbones    timm/NAME for any network of timm, which is an extra;
                 vgg16 vgg19 vgg16_bn vgg19_bn resnet18 resnet34 resnet50 resnet101
                 densenet121 densenet169 densenet201 mobilenet_v2 efficientnet_b0 convnext_tiny

A frozen backbone, and a fine-tuned one too, stays in inference mode: BatchNorm uses the
statistics that came with the weights.
"""

from collections.abc import Iterator
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold import spec as calls
from hundredfold.backbones import Card, Form, network_of
from hundredfold.errors import UsageError
from hundredfold.models import _timm
from hundredfold.models._layers import Scale, drop

_SMALL = 128  # pixels that images of fewer are enlarged to; measured in docs/decisions/0012
_QUARTERS = 4
_ROWS = 512  # features that are summed in float32 before they go into float64


class Standard(nn.Module):
    """Bring features (b, channels) to mean 0 and deviation 1 by buffers that are set once."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def set(self, features: Tensor) -> None:
        """Take mean and deviation of features (n, channels); a constant one is only shifted."""
        total, squares = torch.zeros(2, len(self.mean), dtype=torch.double, device=features.device)
        first = features[0]
        for rows in torch.split(features, _ROWS):
            some = rows - first  # 0 where a feature is constant
            total += some.sum(0)
            squares += some.square().sum(0)
        mean = total / len(features)
        std = (squares / len(features) - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(first + mean)
        self.std.copy_(torch.where(std > 1e-6, std, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """(b, channels) -> the same."""
        return (features - self.mean) / self.std


class Transfer(nn.Module):
    """A backbone without its head, and a new head.

    rate: learning rate of the backbone as a share of the head's; 0 freezes it.
    decay: the rate of each quarter of the backbone as a share of the next one's.
    freeze: quarters that stay as they are, beginning at the image.
    start, views: how training begins, and how often it sees an image; see `transfer`.
    """

    def __init__(
        self,
        backbone: nn.Module,
        channels: int,
        classes: int,
        *,
        resolution: int,
        dropout: nn.Dropout,
        rate: float,
        decay: float,
        freeze: int,
        start: Literal["drawn", "ridge", "logistic"],
        views: int,
    ) -> None:
        super().__init__()
        self.resolution, self.rate, self.decay = resolution, rate, decay
        self.start, self.views = start, views
        self.backbone = backbone
        self.standard = Standard(channels)
        self.dropout = dropout
        self.classifier = nn.Linear(channels, classes)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)
        for parameter, quarter in self._quarters():
            if not rate or quarter < freeze:
                parameter.requires_grad_(False)

    @property
    def frozen(self) -> bool:
        return self.rate == 0

    def train(self, mode: bool = True) -> Self:
        """Set the head's mode; the backbone stays in inference mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def features(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> features (b, channels)."""
        return self.backbone(resized(images, self.resolution))  # type: ignore[no-any-return]

    def head(self, features: Tensor) -> Tensor:
        """(b, channels) -> logits (b, classes)."""
        return self.classifier(self.dropout(self.standard(features)))  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w), or features (b, channels) -> logits (b, classes)."""
        return self.head(images if images.ndim == 2 else self.features(images))

    def rates(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Yield each trained parameter with its learning rate as a share of the head's."""
        for parameter in self.classifier.parameters():
            yield parameter, 1.0
        for parameter, quarter in self._quarters():
            if parameter.requires_grad:
                yield parameter, self.rate * self.decay ** (_QUARTERS - 1 - quarter)

    def _quarters(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Yield each parameter of the backbone with its quarter, 0 to 3 from the image on."""
        found = list(self.backbone.parameters())
        for place, parameter in enumerate(found):
            yield parameter, _QUARTERS * place // len(found)


def resized(images: Tensor, size: int) -> Tensor:
    """Return images (b, 3, h, w) as floats of size x size, channels-last, bicubic.

    Values may leave 0..255 a little beside sharp edges.
    """
    if images.shape[-2:] == (size, size):
        return images
    shrinks = images.shape[-1] > size
    found = F.interpolate(images.float(), (size, size), mode="bicubic", antialias=shrinks)
    return found.contiguous(memory_format=torch.channels_last)


def transfer(
    classes: int,
    size: int,
    *,
    backbone: str = "densenet169",
    resolution: int = 0,
    cut: int = 0,
    rate: float = 0.0,
    decay: float = 1.0,
    freeze: int = 0,
    start: Literal["drawn", "ridge", "logistic"] = "drawn",
    views: int = 1,
    dropout: float = 0.2,
    form: Literal["torchvision", "keras"] = "torchvision",
    weights: str = "",  # noqa: ARG001  identifies the run
) -> nn.Module:
    """Put a new head on a backbone that has learned elsewhere.

    backbone: a name of the list above, "timm/resnet50d.a1_in1k" for one of timm's, or a network
        of ours such as "wrn(depth=16, width=4)" whose weights a run holds (`--pretrained`).
    resolution: pixels that images are resized to; 0 takes 128 for smaller images and the
        images' own size from there on, and for a network of ours always their own.
    cut: keep this many groups of the backbone (VGG 1 to 5, ResNet, DenseNet and ConvNeXt 1
        to 4, MobileNetV2 and EfficientNet 1 to 7); 0 keeps all.
    rate: learning rate of the backbone as a share of the head's; 0 freezes it, and the head
        is trained on features that are computed once.
    decay: share by which the rate falls for each quarter of the backbone towards the image.
    freeze: how many quarters of a backbone that is trained stay as they are, 0 to 3, beginning
        at the image, where features are the most general. Quarters are of the list of the
        backbone's weight tensors: 1 freezes the stem and about two of DenseNet-169's four blocks.
    start: what the head begins as: drawn at random, or solved on the frozen features by
        ridge or logistic regression, the strength chosen by validation.
    views: for a frozen backbone, how often each image is seen: once as it is, then augmented.
    dropout: share of the features dropped in training.
    form: "keras" for weights of keras.applications; set by the file that --weights names.
    weights: first 16 hex digits of the file's sha256, set when a training begins.
    """
    dropped = drop(dropout)
    _need_shares(rate, decay, freeze, views)
    network, card = network_of(backbone)
    ours = card is None and network.name != "timm"
    side = resolution or (size if ours else max(size, _SMALL))
    if side < 8:
        raise UsageError(f"transfer(resolution={resolution}) is less than 8 pixels")
    body: nn.Module
    if network.name == "timm":
        body, channels = _timm.backbone(str(network.options["name"]), side)
    else:
        body, channels = _headless(network, side)
    if cut:
        channels = _cut(body, backbone, cut, card)
    if card:
        _conform(body, card, form)
    return Transfer(
        body,
        channels,
        classes,
        resolution=side,
        dropout=dropped,
        rate=rate,
        decay=decay,
        freeze=freeze,
        start=start,
        views=views,
    )


def _need_shares(rate: float, decay: float, freeze: int, views: int) -> None:
    if rate < 0 or not 0 < decay <= 1:
        raise UsageError(
            f"transfer(rate={rate}, decay={decay}): a rate is at least 0, a decay in (0, 1]",
            remedy="transfer(rate=0.1, decay=0.5)",
        )
    if not rate and decay != 1:
        raise UsageError("transfer(decay) slows what is trained, and rate=0 trains nothing")
    if not 0 <= freeze < _QUARTERS or (freeze and not rate):
        raise UsageError(
            f"transfer(rate={rate}, freeze={freeze}): 0 to {_QUARTERS - 1} quarters of a backbone "
            "that is trained can be frozen",
            remedy="transfer(rate=0.1, freeze=1), or transfer(rate=0.0) to freeze all of it",
        )
    if views < 1 or (rate and views > 1):
        raise UsageError(
            f"transfer(rate={rate}, views={views}): a frozen backbone has at least one view, "
            "and one that is trained sees new ones each epoch",
            remedy="transfer(rate=0.0, views=4) or transfer(rate=0.1)",
        )


def _headless(network: calls.Call, size: int) -> tuple[nn.Module, int]:
    """Build a network, and take its last dense layer away; return the layer's inputs too."""
    make = calls.resolve(network, "hundredfold.models")
    handed = {"classes": 2, "size": size}
    wanted = calls.describe(network.name, "hundredfold.models").handed
    body: nn.Module = make(**{name: handed[name] for name in wanted})
    name, last = [(n, m) for n, m in body.named_modules() if isinstance(m, nn.Linear)][-1]
    body.set_submodule(name, nn.Identity())
    return body.eval(), last.in_features


def _cut(body: nn.Module, backbone: str, cut: int, card: Card | None) -> int:
    if card is None or not 0 < cut <= card.groups:
        last = f"1 to {card.groups}" if card else "whole networks only"
        raise UsageError(f"{backbone} cannot be cut after group {cut}", found=last)
    return int(body.cut(cut))  # type: ignore[operator]


def _conform(body: nn.Module, card: Card, form: Form) -> None:
    """Set what a form of weights wants and no weight says: scaling, strides, padding."""
    scale, scaling = body.scale, card.scaling(form)
    assert isinstance(scale, Scale)
    scale.mean.copy_(torch.tensor(scaling.mean).view(3, 1, 1))
    scale.std.copy_(torch.tensor(scaling.std).view(3, 1, 1))
    if form == "keras":
        for module in body.modules():
            if hasattr(module, "stride_first"):
                module.stride_first()  # type: ignore[operator]
            if hasattr(module, "late"):
                module.late = True  # type: ignore[assignment]
