"""From "wrn(depth=28)" to a network with weights."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hundredfold import spec as calls
from hundredfold.errors import UsageError
from hundredfold.spec import Call

_PACKAGE = "hundredfold.models"


def build(call: Call, *, classes: int, size: int, seed: int) -> nn.Module:
    """Build a network in training mode, its weights a function of the seed alone.

    classes: number of logits, at least 2.
    size: height and width of the images in pixels; handed to models that ask for it.
    The weights lie channels-last. The global generator is left as it was.
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


def outline(call: Call, *, classes: int, size: int) -> nn.Module:
    """Build a network on the meta device, shapes without weights, to count it in no time."""
    with torch.device("meta"), _Undrawn():
        return build(call, classes=classes, size=size, seed=0)


class _Undrawn(TorchFunctionMode):
    """Skip the drawing of weights: even without memory it would load 800 modules."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func.__name__.endswith(("normal_", "uniform_", "zero_", "fill_")):
            return args[0] if args else given["tensor"]
        return func(*args, **given)
