"""Count a network's parameters and multiply-accumulates (MACs), per layer and per stage."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hundredfold.size import Size, SizeLike

_LABELS = {
    "Conv2d": "conv",
    "Linear": "dense",
    "Dense": "dense",
    "Convolution": "conv",
    "MaxPool2d": "max pool",
    "AvgPool2d": "mean pool",
    "AdaptiveAvgPool2d": "mean pool",
}


@dataclass(frozen=True)
class Layer:
    """One call of a module that has parameters of its own or no children.

    name: as in the state dict. kind: the class. output: shape without the batch.
    macs: multiply-accumulates per image of a convolution or dense layer, else 0.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class Stage:
    """Consecutive layers of one resolution.

    output: shape of the last layer, without the batch. contents: such as "max pool, 2 conv",
    without norms and activations.
    weights: number of convolutions and dense layers.
    """

    output: tuple[int, ...]
    contents: str
    weights: int
    parameters: int
    macs: int


@dataclass(frozen=True)
class Summary:
    """Parameters and multiply-accumulates of a network for one image of a size."""

    size: Size
    parameters: int
    macs: int
    layers: tuple[Layer, ...]
    stages: tuple[Stage, ...]

    @property
    def diagram(self) -> str:
        """The stages as text: output, contents, parameters, MACs, and a bar for their fraction."""
        stages = [stage for stage in self.stages if stage.contents]
        width = max([len(stage.contents) for stage in stages], default=6)
        lines = [f"{'output':<18}{'layers':<{width}}{'parameters':>13}{'MACs':>16}"]
        lines.append(f"{_shape((3, *self.size)):<18}image")
        for stage in stages:
            bar = "█" * round(16 * stage.macs / max(self.macs, 1))
            row = f"{_shape(stage.output):<18}{stage.contents:<{width}}{stage.parameters:>13,}"
            lines.append(f"{row}{stage.macs:>16,}  {bar}".rstrip())
        lines.append(f"{'':<{18 + width}}{self.parameters:>13,}{self.macs:>16,}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, with the diagram."""
        return asdict(self) | {"size": self.size.plain, "diagram": self.diagram}


def summary(model: nn.Module, size: SizeLike) -> Summary:
    """Count one forward pass of an image of a size in pixels, without arithmetic.

    A batch of 0 images passes through the network, which yields every shape. The model stays as
    it is; it may be on the meta device. Raises RuntimeError where the network does not accept
    that size.
    """
    layers: list[Layer] = []
    with _recording(model, layers), _evaluating(model), torch.no_grad():
        functional_call(model, _allocated(model), (_images(model, size),))
    return Summary(
        size=Size.of(size),
        parameters=sum(p.numel() for p in model.parameters()),
        macs=sum(layer.macs for layer in layers),
        layers=tuple(layers),
        stages=stages(layers),
    )


def _images(model: nn.Module, size: SizeLike) -> Tensor:
    device = next((p.device for p in model.parameters() if not p.is_meta), None)
    return torch.empty((0, 3, *Size.of(size)), dtype=torch.uint8, device=device)


def _allocated(model: nn.Module) -> dict[str, Tensor]:
    """Return uninitialised tensors for weights on the meta device.

    Computing on the meta device would work, but its first kernel imports 800 modules in 1 s.
    """
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {name: torch.empty(t.shape, dtype=t.dtype) for name, t in tensors if t.is_meta}


@contextmanager
def _recording(model: nn.Module, layers: list[Layer]) -> Iterator[None]:
    counted: set[str] = set()  # a module that is called twice has its parameters once

    def record(name: str, module: nn.Module, output: Tensor) -> None:
        own = 0 if name in counted else sum(p.numel() for p in module.parameters(recurse=False))
        counted.add(name)
        shape = tuple(output.shape[1:])
        kind = type(module).__name__
        layers.append(Layer(name, kind, shape, own, _macs(module, output)))

    hooks = [
        module.register_forward_hook(lambda m, _, output, name=name: record(name, m, output))
        for name, module in model.named_modules()
        if (not list(module.children()) or list(module.parameters(recurse=False)))
        and not isinstance(module, nn.Identity)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _macs(module: nn.Module, output: Tensor) -> int:
    """Count one dot product for each output value of a convolution or dense layer.

    Other layers count with their own `macs`, if they have it.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        return prod(output.shape[1:]) * prod(module.weight.shape[1:])
    count = getattr(module, "macs", None)
    return int(count(output)) if callable(count) else 0


def stages(layers: Sequence[Layer]) -> tuple[Stage, ...]:
    """Group consecutive layers of one resolution."""
    return tuple(_grouped(layers))


def _grouped(layers: Sequence[Layer]) -> Iterator[Stage]:
    start = 0
    for end, layer in enumerate(layers, start=1):
        if end < len(layers) and _resolution(layers[end]) == _resolution(layer):
            continue
        group = layers[start:end]
        start = end
        yield Stage(
            output=layer.output,
            contents=_contents(group),
            weights=sum(row.macs > 0 for row in group),
            parameters=sum(row.parameters for row in group),
            macs=sum(row.macs for row in group),
        )


def _contents(layers: Sequence[Layer]) -> str:
    counts = Counter(_LABELS[layer.kind] for layer in layers if layer.kind in _LABELS)
    return ", ".join(f"{n} {label}" if n > 1 else label for label, n in counts.items())


def _resolution(layer: Layer) -> int:
    return prod(layer.output[1:])


def _shape(output: tuple[int, ...]) -> str:
    return " x ".join([f"{output[0]:>4}", *(f"{n:>3}" for n in output[1:])])
