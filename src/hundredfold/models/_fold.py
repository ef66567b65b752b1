"""Fold BatchNorm into convolutions for inference: the same function in fewer operations.

BatchNorm in inference mode is a x + b per channel, which the convolution before it can absorb.
DenseNets have BatchNorm before the convolutions, see `_fold_densenet.py`.
"""

import copy

import torch
from torch import nn

from hundredfold.models._fold_densenet import FoldedDenseNet, affine
from hundredfold.models._inverted import EfficientNet
from hundredfold.models.densenet import DenseNet
from hundredfold.models.mobilenet_v2 import MobileNetV2
from hundredfold.models.resnet import ResNet
from hundredfold.models.vgg import VGG

_NORM_AFTER = (VGG, ResNet, MobileNetV2, EfficientNet)  # each norm follows its convolution


@torch.no_grad()
def fold(network: nn.Module) -> nn.Module:
    """Return an equivalent network in inference mode with fewer operations.

    The argument is not changed. Other families are returned as they are. Results are equal up
    to rounding.
    """
    if not isinstance(network, (DenseNet, *_NORM_AFTER)):
        return network
    device = next(network.parameters()).device
    if device.type != "cpu":  # MPS has no float64
        return fold(copy.deepcopy(network).cpu()).to(device)
    if isinstance(network, DenseNet):
        return FoldedDenseNet(network).eval()
    folded = copy.deepcopy(network).eval()
    convolution: nn.Conv2d | None = None
    for name, module in list(folded.named_modules()):
        if isinstance(module, nn.Conv2d):
            convolution = module
        elif isinstance(module, nn.BatchNorm2d) and convolution is not None:
            _absorb(convolution, module)
            folded.set_submodule(name, nn.Identity())
            convolution = None
    return folded


def _absorb(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    slope, shift = affine(norm)
    weight = convolution.weight.double() * slope.view(-1, 1, 1, 1)
    if convolution.bias is not None:
        shift = shift + convolution.bias.double() * slope
    convolution.weight.copy_(weight)
    convolution.bias = nn.Parameter(shift.to(convolution.weight.dtype), requires_grad=False)
