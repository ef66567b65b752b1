"""From "wrn(depth=28)" to a network with weights."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hundredfold.errors import UsageError
from hundredfold.spec import Part, part

PACKAGE = "hundredfold.models"


def build(model: Part | str, *, classes: int, size: int, seed: int) -> nn.Module:
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
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` would reach the GPUs too
        network = make(model, classes, size)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def make(model: Part | str, classes: int, size: int) -> nn.Module:
    """Build a network, its weights drawn from the global generator.

    A network of a user's own is called with the number of classes, and with the size where it
    has a parameter of that name.
    """
    chosen = model if isinstance(model, Part) else part(model, PACKAGE)
    handed = {"classes": classes, "size": size}
    if chosen.own is None:
        network = chosen.resolve()(**{name: handed[name] for name in chosen.signature.handed})
    else:
        network = _own(chosen, classes, size)
    if not isinstance(network, nn.Module):
        raise UsageError(
            f"{chosen} is no network", found=f"it returns {type(network).__name__}, not nn.Module"
        )
    return network


def _own(model: Part, classes: int, size: int) -> Any:
    assert model.own is not None
    if isinstance(model.own.value, nn.Module):
        return copy.deepcopy(model.own.value)  # training moves the weights of its own copy
    wants_size = "size" in model.signature.handed
    return model.resolve()(classes, size) if wants_size else model.resolve()(classes)


def outline(model: Part | str, *, classes: int, size: int) -> nn.Module:
    """Build a network on the meta device, shapes without weights, to count it in no time."""
    with undrawn():
        return build(model, classes=classes, size=size, seed=0)


@contextmanager
def undrawn() -> Iterator[None]:
    """Build networks on the meta device within: shapes without weights."""
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Skip the drawing of weights: even without memory it would load 800 modules."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        if func.__name__.endswith(("normal_", "uniform_", "zero_", "fill_")):
            return args[0] if args else options["tensor"]
        return func(*args, **options)
