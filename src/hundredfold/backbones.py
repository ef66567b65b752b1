"""The cards of the backbones: which network, which scaling, whose weights; no torch is needed.

A card owns what a user should not have to know. Weights come in two forms: as torchvision
publishes them, and as `keras.applications` does; they differ in scaling, in the order of
channels, and for two families in the network itself (`stride_first`, `late`).
"""

from dataclasses import dataclass
from typing import Literal

from hundredfold.errors import UsageError, did_you_mean
from hundredfold.spec import Call, parse

Form = Literal["torchvision", "keras"]
RGB = tuple[float, float, float]
TIMM = "timm/"  # before the name of a network of timm's
SITE = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Scaling:
    """(x - mean) / std of red, green and blue in 0..255; bgr: the weights want blue first."""

    mean: RGB
    std: RGB
    bgr: bool = False


# keras.applications.imagenet_utils.preprocess_input has the three under these names
TORCH = Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
CAFFE = Scaling((123.68, 116.779, 103.939), (1.0, 1.0, 1.0), bgr=True)
TF = Scaling((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))


@dataclass(frozen=True)
class Card:
    """A backbone: the network, its groups (places to cut), its weights.

    file: torchvision's file name, whose last part is the beginning of its sha256.
    keras: the scaling of `keras.applications`' weights, None where they are not read.
    eps: of Keras' BatchNorm.
    """

    network: str
    groups: int
    file: str
    keras: Scaling | None = None
    eps: float = 1.001e-5

    @property
    def url(self) -> str:
        return SITE + self.file

    @property
    def sha256(self) -> str:
        """The first eight hex digits, which torchvision writes into the name."""
        return self.file.removesuffix(".pth").rpartition("-")[2]

    def scaling(self, form: Form) -> Scaling:
        """Return the scaling that weights of a form want."""
        return self.keras if form == "keras" and self.keras else TORCH


def _vgg(depth: int, batch_norm: bool) -> str:
    return f"vgg(depth={depth}, batch_norm={batch_norm}, head='pool')"


CARDS = {
    "vgg16": Card(_vgg(16, False), 5, "vgg16-397923af.pth", CAFFE),
    "vgg19": Card(_vgg(19, False), 5, "vgg19-dcbb9e9d.pth", CAFFE),
    "vgg16_bn": Card(_vgg(16, True), 5, "vgg16_bn-6c64b313.pth"),
    "vgg19_bn": Card(_vgg(19, True), 5, "vgg19_bn-c79401a0.pth"),
    "resnet18": Card("resnet(depth=18, stem='imagenet')", 4, "resnet18-f37072fd.pth"),
    "resnet34": Card("resnet(depth=34, stem='imagenet')", 4, "resnet34-b627a593.pth"),
    "resnet50": Card("resnet(depth=50, stem='imagenet')", 4, "resnet50-0676ba61.pth", CAFFE),
    "resnet101": Card("resnet(depth=101, stem='imagenet')", 4, "resnet101-63fe2227.pth", CAFFE),
    "densenet121": Card(
        "densenet(depth=121, stem='imagenet')", 4, "densenet121-a639ec97.pth", TORCH
    ),
    "densenet169": Card(
        "densenet(depth=169, stem='imagenet')", 4, "densenet169-b2777c0a.pth", TORCH
    ),
    "densenet201": Card(
        "densenet(depth=201, stem='imagenet')", 4, "densenet201-c1103571.pth", TORCH
    ),
    "mobilenet_v2": Card(
        "mobilenet_v2(stem='imagenet')", 7, "mobilenet_v2-b0353104.pth", TF, eps=1e-3
    ),
    "efficientnet_b0": Card(
        "efficientnet(stem='imagenet')", 7, "efficientnet_b0_rwightman-7f5810bc.pth"
    ),
    "convnext_tiny": Card("convnext(stem='imagenet')", 4, "convnext_tiny-983f1562.pth"),
}


def network_of(backbone: str) -> tuple[Call, Card | None]:
    """Return the network of a backbone's name, or of a network written out as for `model`.

    A network of timm is the call timm(name=...), which no file of `models` answers.

    Raises UsageError for a name that has no card, and for a transfer within a transfer.
    """
    card = CARDS.get(backbone)
    if card:
        return parse(card.network), card
    if backbone.startswith(TIMM):
        return Call("timm", {"name": backbone.removeprefix(TIMM)}), None
    if "(" not in backbone:
        raise UsageError(
            f"no backbone is called {backbone!r}",
            found="names with weights, timm/NAME, or a network of ours: 'wrn(depth=16, width=4)'",
            remedy=did_you_mean(backbone, CARDS),
        )
    call = parse(backbone)
    if call.name == "transfer":
        raise UsageError("a backbone is a network, not a transfer", found=backbone)
    if call.name == "timm":
        raise UsageError(f"{backbone} is no backbone", remedy=f"{TIMM}NAME for one of timm's")
    return call, None
