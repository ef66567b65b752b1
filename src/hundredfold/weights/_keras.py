"""Convert weights of `keras.applications` to tensors of this package's networks.

Differences between Keras' networks and these are folded into the weights:

    kernels                  (height, width, in, out)     -> (out, in, height, width)
    BGR                      the first kernel's input channels are reversed
    BatchNorm's epsilon      the difference is added to the variance
    biases before BatchNorm  are subtracted from its mean
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hundredfold.backbones import Backbone
from hundredfold.weights.hdf5 import Array, layers

Name = Callable[..., str]


def _resnet() -> Iterator[tuple[str, Name]]:
    yield r"conv1", lambda: "conv1_conv"
    yield r"bn1", lambda: "conv1_bn"
    inside = r"layer(\d)\.(\d+)\."
    yield inside + r"conv(\d)", lambda g, b, n: f"conv{g + 1}_block{b + 1}_{n}_conv"
    yield inside + r"bn(\d)", lambda g, b, n: f"conv{g + 1}_block{b + 1}_{n}_bn"
    yield inside + r"downsample\.0", lambda g, b: f"conv{g + 1}_block{b + 1}_0_conv"
    yield inside + r"downsample\.1", lambda g, b: f"conv{g + 1}_block{b + 1}_0_bn"


def _densenet() -> Iterator[tuple[str, Name]]:
    yield r"features\.conv0", lambda: "conv1_conv"
    yield r"features\.norm0", lambda: "conv1_bn"
    inside = r"features\.denseblock(\d)\.denselayer(\d+)\."
    yield inside + r"norm1", lambda g, b: f"conv{g + 1}_block{b}_0_bn"
    yield inside + r"conv1", lambda g, b: f"conv{g + 1}_block{b}_1_conv"
    yield inside + r"norm2", lambda g, b: f"conv{g + 1}_block{b}_1_bn"
    yield inside + r"conv2", lambda g, b: f"conv{g + 1}_block{b}_2_conv"
    yield r"features\.transition(\d)\.norm", lambda g: f"pool{g + 1}_bn"
    yield r"features\.transition(\d)\.conv", lambda g: f"pool{g + 1}_conv"
    yield r"features\.norm5", lambda: "bn"


def _mobilenet_v2() -> Iterator[tuple[str, Name]]:
    for end, first, last in (("0", "Conv1", "Conv_1"), ("1", "bn_Conv1", "Conv_1_bn")):
        yield rf"features\.0\.{end}", lambda first=first: first
        yield rf"features\.18\.{end}", lambda last=last: last
    steps = {r"0\.0": "depthwise", r"0\.1": "depthwise_BN", "1": "project", "2": "project_BN"}
    for index, step in steps.items():
        yield rf"features\.1\.conv\.{index}", lambda step=step: f"expanded_conv_{step}"
    steps = {r"0\.0": "expand", r"0\.1": "expand_BN", r"1\.0": "depthwise", r"1\.1": "depthwise_BN",
             "2": "project", "3": "project_BN"}  # fmt: skip
    for index, step in steps.items():
        yield rf"features\.(\d+)\.conv\.{index}", lambda n, step=step: f"block_{n - 1}_{step}"


_FAMILIES = {"resnet": _resnet, "densenet": _densenet, "mobilenet_v2": _mobilenet_v2}


def layer_names(network: nn.Module, family: str) -> dict[str, str]:
    """Return PyTorch name -> Keras name of each convolution and norm, in the network's order."""
    ours = [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    if family == "vgg":
        return dict(zip(ours, _vgg(network), strict=True))
    rules = list(_FAMILIES[family]())
    return {name: _translated(name, rules) for name in ours}


def _vgg(network: nn.Module) -> Iterator[str]:
    block, number = 1, 1
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            yield f"block{block}_conv{number}"
            number += 1
        elif isinstance(module, nn.MaxPool2d):
            block, number = block + 1, 1


def _translated(name: str, rules: list[tuple[str, Name]]) -> str:
    for pattern, make in rules:
        if match := re.fullmatch(pattern, name):
            return make(*map(int, match.groups()))
    raise KeyError(name)


def read(file: Path, network: nn.Module, backbone: Backbone, family: str) -> dict[str, Tensor]:
    """Return the tensors of a network by PyTorch name from a Keras file.

    Raises MissingError without h5py, and for a file of another network.
    """
    tensors: dict[str, Tensor] = {}
    bias: Array | None = None
    modules = dict(network.named_modules())
    is_bgr = backbone.keras is not None and backbone.keras.bgr
    with layers(file) as arrays_of:
        for name, keras in layer_names(network, family).items():
            module = modules[name]
            if isinstance(module, nn.BatchNorm2d):
                arrays = arrays_of(keras, [tuple(module.weight.shape)] * 4)
                tensors |= _norm(name, arrays, backbone.eps - module.eps, bias)
                bias = None
                continue
            assert isinstance(module, nn.Conv2d)
            kernel, bias = _convolution(arrays_of, keras, module, family)
            tensors[f"{name}.weight"] = torch.from_numpy(
                kernel[:, ::-1].copy() if is_bgr else kernel
            )
            is_bgr = False
            if module.bias is not None and bias is not None:
                tensors[f"{name}.bias"], bias = torch.from_numpy(bias), None
    return tensors


def _convolution(
    arrays_of: Callable[..., list[Array]], keras: str, module: nn.Conv2d, family: str
) -> tuple[Array, Array | None]:
    """Return a kernel (out, in / groups, height, width) and its bias in Keras, if any."""
    out, inside, height, width = module.weight.shape
    if module.groups > 1:
        (kernel,) = arrays_of(keras, [(height, width, out, 1)])
        return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)), None
    shapes = [(height, width, inside, out)]
    biased = module.bias is not None or family == "resnet"
    arrays = arrays_of(keras, [*shapes, (out,)] if biased else shapes)
    kernel = np.ascontiguousarray(arrays[0].transpose(3, 2, 0, 1))
    return kernel, arrays[1] if biased else None


def _norm(name: str, arrays: list[Array], eps: float, bias: Array | None) -> dict[str, Tensor]:
    gamma, beta, mean, variance = arrays
    mean = mean if bias is None else mean - bias
    variance = (variance.astype(np.float64) + eps).astype(np.float32)
    values = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}
    return {f"{name}.{key}": torch.from_numpy(value) for key, value in values.items()}
