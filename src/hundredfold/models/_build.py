"""From "wrn(depth=28)" to a network with weights."""

import torch
from torch import nn

from hundredfold import call as calls
from hundredfold.call import Call
from hundredfold.errors import UsageError

_PACKAGE = "hundredfold.models"


def build(call: Call, *, classes: int, size: int, seed: int) -> nn.Module:
    """Build a network in training mode, its weights a function of the seed alone.

    classes: number of logits, at least 2.
    size: height and width of the images in pixels; handed to models that ask for it.
    The weights lie channels-last. The global generator is left as it was. Under
    `torch.device("meta")` nothing is allocated, which is how a network is only counted.
    Raises UsageError for an unknown model or option, or a value the model cannot have.
    """
    if classes < 2:
        raise UsageError(f"a classifier needs at least 2 classes, not {classes}")
    if size < 1:
        raise UsageError(f"images need a size of at least 1 pixel, not {size}")
    make = calls.resolve(call, _PACKAGE)
    handed = {"classes": classes, "size": size}
    wanted = calls.describe(call.name, _PACKAGE).handed
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` would reach the GPUs too
        model: nn.Module = make(**{name: handed[name] for name in wanted})
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
