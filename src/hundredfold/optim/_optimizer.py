"""An optimizer on torch's fused updates, without torch's optimizer classes.

The arithmetic is torch's (`torch.optim.sgd.sgd` and the like). Its classes import the compiler at
first use, which delays the start of a training by more than a second.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Group = dict[str, Any]
Buffers = dict[str, Tensor]
PROCESSES = "processes"  # key of a group: the processes among which an update divides its work
Update = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[Buffers], Group], None]


class Optimizer:
    """Parameters in groups, each with its settings, and the buffers of every parameter.

    param_groups: each has "params", "lr", "update" and that update's settings; the training loop
    changes "lr". An update takes the parameters that have a gradient, their gradients, their
    buffers (empty at the first step), and the group; it changes parameters and buffers in place.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self.param_groups = list(groups)
        self._buffers: dict[nn.Parameter, Buffers] = {p: {} for p in self._parameters()}

    def rescaled(self, factors: Mapping[nn.Parameter, float]) -> "Optimizer":
        """Return an optimizer with a factor on each parameter's rate; highest factors first."""
        groups = [
            {**group, "lr": group["lr"] * factor, "params": parameters}
            for factor in sorted(set(factors.values()), reverse=True)
            for group in self.param_groups
            if (parameters := [p for p in group["params"] if factors[p] == factor])
        ]
        return Optimizer(groups)

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            if trained:
                buffers = [self._buffers[p] for p in trained]
                group["update"](trained, [p.grad for p in trained], buffers, group)

    def tensors(self) -> dict[str, Tensor]:
        """Return all buffers as "<index of the parameter>.<buffer>", without copying."""
        return {
            f"{index}.{name}": buffer
            for index, buffers in enumerate(self._buffers.values())
            for name, buffer in buffers.items()
        }

    def outline(self) -> dict[str, Tensor]:
        """Return what `tensors` returns after the first step, on the meta device.

        Each update runs on stand-ins with one element; a buffer of a stand-in's shape has the
        parameter's shape.
        """
        outlines: dict[str, Tensor] = {}
        indices = {parameter: index for index, parameter in enumerate(self._buffers)}
        for group in self.param_groups:
            stand_ins = [torch.zeros([1] * p.ndim, dtype=p.dtype) for p in group["params"]]
            buffers: list[Buffers] = [{} for _ in stand_ins]
            with torch.no_grad():
                alone = {key: value for key, value in group.items() if key != PROCESSES}
                group["update"](stand_ins, [torch.zeros_like(p) for p in stand_ins], buffers, alone)
            for parameter, stand_in, own in zip(group["params"], stand_ins, buffers, strict=True):
                for name, buffer in own.items():
                    shape = parameter.shape if buffer.shape == stand_in.shape else buffer.shape
                    outline = torch.empty(shape, dtype=buffer.dtype, device="meta")
                    outlines[f"{indices[parameter]}.{name}"] = outline
        return outlines

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore buffers that `tensors` returned.

        Each gets its parameter's device and memory layout, as fused updates need the same strides.
        Raises ValueError for a buffer that no update makes.
        """
        outline = self.outline()
        parameters = self._parameters()
        self._buffers = {p: {} for p in parameters}
        for key, tensor in tensors.items():
            if key not in outline or outline[key].shape != tensor.shape:
                raise ValueError(f"the optimizer has no {key} of shape {tuple(tensor.shape)}")
            index, _, name = key.partition(".")
            parameter = parameters[int(index)]
            buffer = tensor.to(parameter.device)
            if tensor.shape == parameter.shape:
                buffer = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
            self._buffers[parameter][name] = buffer

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.param_groups for p in group["params"]]
