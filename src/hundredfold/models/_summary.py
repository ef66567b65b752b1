"""Count a network: parameters, multiply-accumulates, a row per layer, stages by resolution."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True)
class Layer:
    """One call of a module without children, in the order of the forward pass.

    name: as in the state dict; kind: the class; output: shape without the batch.
    macs: multiply-accumulates of convolutions and dense layers for one image, else 0.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class Stage:
    """Consecutive layers of one resolution; `weights` counts convolutions and dense layers."""

    output: tuple[int, ...]
    weights: int
    parameters: int
    macs: int


@dataclass(frozen=True)
class Summary:
    """What a network costs for one image of size x size pixels."""

    size: int
    parameters: int
    macs: int
    layers: tuple[Layer, ...]
    stages: tuple[Stage, ...]

    @property
    def diagram(self) -> str:
        """The stages as text: output, layers with weights, shares of parameters and MACs."""
        lines = [f"{'output':<16}{'layers':>6}{'parameters':>14}{'MACs':>16}"]
        lines.append(f"{_shape((3, self.size, self.size)):<16}{'image':>6}")
        for stage in self.stages:
            bar = "█" * round(20 * stage.macs / max(self.macs, 1))
            row = f"{_shape(stage.output):<16}{stage.weights:>6}{stage.parameters:>14,}"
            lines.append(f"{row}{stage.macs:>16,}  {bar}".rstrip())
        lines.append(f"{'':<22}{self.parameters:>14,}{self.macs:>16,}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, with the diagram."""
        return asdict(self) | {"diagram": self.diagram}


def summary(model: nn.Module, size: int) -> Summary:
    """Count one forward pass of an image of size x size pixels, computing nothing.

    The pass runs on the meta device, whatever the model's own; the model stays as it is.
    """
    layers: list[Layer] = []
    seen: set[str] = set()
    tensors = [*model.named_parameters(), *model.named_buffers()]
    meta = {name: tensor.detach().to("meta") for name, tensor in tensors}
    image = torch.empty((1, 3, size, size), dtype=torch.uint8, device="meta")
    with _recording(model, layers, seen), _evaluating(model), torch.no_grad():
        functional_call(model, meta, (image,))
    return Summary(
        size=size,
        parameters=sum(p.numel() for p in model.parameters()),
        macs=sum(layer.macs for layer in layers),
        layers=tuple(layers),
        stages=tuple(_stages(layers)),
    )


@contextmanager
def _recording(model: nn.Module, layers: list[Layer], seen: set[str]) -> Iterator[None]:
    def record(name: str, module: nn.Module, output: Tensor) -> None:
        parameters = 0 if name in seen else sum(p.numel() for p in module.parameters())
        seen.add(name)
        shape = tuple(output.shape[1:])
        kind = type(module).__name__
        layers.append(Layer(name, kind, shape, parameters, _macs(module, output)))

    hooks = [
        module.register_forward_hook(lambda m, _, output, name=name: record(name, m, output))
        for name, module in model.named_modules()
        if not list(module.children()) and not isinstance(module, nn.Identity)
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
    """Each output value of a convolution or dense layer is one dot product of its inputs."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return output[0].numel() * module.weight[0].numel()
    return 0


def _stages(layers: list[Layer]) -> Iterator[Stage]:
    start = 0
    for end, layer in enumerate(layers, start=1):
        if end < len(layers) and _resolution(layers[end]) == _resolution(layer):
            continue
        group = layers[start:end]
        start = end
        yield Stage(
            output=layer.output,
            weights=sum(row.macs > 0 for row in group),
            parameters=sum(row.parameters for row in group),
            macs=sum(row.macs for row in group),
        )


def _resolution(layer: Layer) -> int:
    return prod(layer.output[1:])


def _shape(output: tuple[int, ...]) -> str:
    return " x ".join(f"{n:>3}" for n in output)
