"""Build a network with weights from a text such as "wrn(depth=28)"."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hundredfold import machine, wording
from hundredfold.compute.norms import protect
from hundredfold.errors import CheckError, UsageError, shortened
from hundredfold.size import Size, SizeLike
from hundredfold.spec import Part, part

PACKAGE = "hundredfold.models"
_COPIES = 3  # of the parameters that training holds at least


def build(model: Part | str, *, classes: int, size: SizeLike, seed: int) -> nn.Module:
    """Build a network in training mode; the seed alone determines its weights.

    classes: number of logits, at least 2.
    size: of the images, for models with a parameter `size`: a number of pixels, or a `Size`.

    Weights are in channels-last memory. The global generator keeps its state.
    Raises UsageError for an unknown model or option, or a value out of range.
    """
    if classes < 2:
        raise UsageError(f"a classifier needs at least 2 classes, not {classes}")
    if Size.of(size).least < 1:
        raise UsageError(f"images need a size of at least 1 pixel, not {size}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` would reach the GPUs too
        network = make(model, classes, size)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def make(model: Part | str, classes: int, size: SizeLike) -> nn.Module:
    """Build a network with weights from the global generator.

    A constant channel passes no gradient through normalisation (`compute.norms`).
    A user's own function takes the number of classes, and the size if it has a parameter `size`: a
    number of pixels, or (height, width) where they differ.
    Raises UsageError where it returns anything but an nn.Module, and CheckError where the memory
    cannot hold a network that ships, its gradients and one average of them.
    """
    model = model if isinstance(model, Part) else part(model, PACKAGE)
    if model.own is None and torch.empty(0).device.type != "meta":
        _need_memory(model, classes, Size.of(size))
    arguments = {"classes": classes, "size": Size.of(size)}
    if model.own is None:
        network = model.resolve()(**{name: arguments[name] for name in model.signature.handed})
    else:
        network = _own(model, classes, size)
    if not isinstance(network, nn.Module):
        raise UsageError(
            f"{model} is no network", found=f"it returns {type(network).__name__}, not nn.Module"
        )
    return protect(network)


def _need_memory(model: Part, classes: int, size: Size) -> None:
    parameters = _parameters(model, classes, size)
    needed, free = _COPIES * 4 * parameters, machine.free_memory()
    if needed > free:
        raise CheckError(
            f"{shortened(model)} has {parameters:,} parameters, which do not fit in memory",
            found=f"training takes {wording.memory(needed)} for them and their gradients at least, "
            f"and {wording.memory(free)} are free",
            remedy="a smaller width or depth",
        )


@cache
def _parameters(model: Part, classes: int, size: Size) -> int:
    """Return the number of a network's parameters, counted on the meta device."""
    with torch.random.fork_rng(devices=[]), without_weights():
        return sum(p.numel() for p in make(model, classes, size).parameters())


def _own(model: Part, classes: int, size: SizeLike) -> Any:
    assert model.own is not None
    if isinstance(model.own.value, nn.Module):
        return copy.deepcopy(model.own.value)  # training changes the copy's weights only
    wants_size = "size" in model.signature.handed
    return model.resolve()(classes, Size.of(size).given) if wants_size else model.resolve()(classes)


def outline(model: Part | str, *, classes: int, size: SizeLike) -> nn.Module:
    """Build a network on the meta device: shapes without memory, fast to count."""
    with without_weights():
        return build(model, classes=classes, size=size, seed=0)


@contextmanager
def without_weights() -> Iterator[None]:
    """Within this context, build networks on the meta device: shapes without memory."""
    with torch.device("meta"), _SkipInitialisation():
        yield


class _SkipInitialisation(TorchFunctionMode):
    """Skip the initialisation of weights: on the meta device it would import 800 modules."""

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
