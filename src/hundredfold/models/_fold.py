"""The same function of images with less to compute, for inference: norms put into convolutions.

A norm in inference mode is a x + b for each channel, which a convolution before it can do as
well. DenseNets have their norms before the convolutions, see `_fold_densenet.py`.
"""

import copy

import torch
from torch import nn

from hundredfold.models._fold_densenet import FoldedDenseNet, affine
from hundredfold.models.densenet import DenseNet
from hundredfold.models.efficientnet import EfficientNet
from hundredfold.models.mobilenet_v2 import MobileNetV2
from hundredfold.models.resnet import ResNet
from hundredfold.models.vgg import VGG

_FOLLOWED = (VGG, ResNet, MobileNetV2, EfficientNet)  # each norm stands behind its convolution


@torch.no_grad()
def fold(network: nn.Module) -> nn.Module:
    """Return a network for inference that computes the same; the one given stays as it is.

    Families whose norms do not stand behind a convolution are returned unchanged.
    """
    if not isinstance(network, (DenseNet, *_FOLLOWED)):
        return network
    device = next(network.parameters()).device
    if device.type != "cpu":  # float64, which MPS has not
        return fold(copy.deepcopy(network).cpu()).to(device)
    if isinstance(network, DenseNet):
        return FoldedDenseNet(network).eval()
    folded = copy.deepcopy(network).eval()
    before: nn.Conv2d | None = None
    for name, module in list(folded.named_modules()):
        if isinstance(module, nn.Conv2d):
            before = module
        elif isinstance(module, nn.BatchNorm2d) and before is not None:
            _absorb(before, module)
            folded.set_submodule(name, nn.Identity())
            before = None
    return folded


def _absorb(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    slope, shift = affine(norm)
    weight = convolution.weight.double() * slope.view(-1, 1, 1, 1)
    if convolution.bias is not None:
        shift = shift + convolution.bias.double() * slope
    convolution.weight.copy_(weight)
    convolution.bias = nn.Parameter(shift.to(convolution.weight.dtype), requires_grad=False)
