"""What updates parameters: torch's fused updates without torch's optimizer classes.

The arithmetic is torch's own (`torch.optim.sgd.sgd` and the like). Its classes import the
compiler at their first use, which costs a start of training more than a second.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Group = dict[str, Any]
Buffers = dict[str, Tensor]
Update = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[Buffers], Group], None]


class Optimizer:
    """Parameters in groups, each with its settings, and the buffers of every parameter.

    param_groups: each has "params", "lr", "update" and what that needs besides; the training
    loop changes "lr". An update changes parameters in place, given those that have a
    gradient, their gradients, their buffers (which it fills at first), and the group.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self.param_groups = list(groups)
        self._buffers: dict[nn.Parameter, Buffers] = {p: {} for p in self._parameters()}

    def rescaled(self, shares: Mapping[nn.Parameter, float]) -> "Optimizer":
        """Return an optimizer whose parameters learn at shares of their rate, highest first."""
        groups = [
            {**group, "lr": group["lr"] * share, "params": members}
            for share in sorted(set(shares.values()), reverse=True)
            for group in self.param_groups
            if (members := [p for p in group["params"] if shares[p] == share])
        ]
        return Optimizer(groups)

    def zero_grad(self) -> None:
        """Let go of all gradients."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if moved:
                buffers = [self._buffers[p] for p in moved]
                group["update"](moved, [p.grad for p in moved], buffers, group)

    def tensors(self) -> dict[str, Tensor]:
        """Return all buffers as "<number of the parameter>.<buffer>", without copying."""
        return {
            f"{number}.{name}": buffer
            for number, buffers in enumerate(self._buffers.values())
            for name, buffer in buffers.items()
        }

    def outline(self) -> dict[str, Tensor]:
        """Return what `tensors` has once every parameter has been updated, on the meta device.

        Each update fills the buffers of stand-ins with one element; a buffer of such a shape
        is one of the parameter's shape.
        """
        found: dict[str, Tensor] = {}
        numbers = {parameter: number for number, parameter in enumerate(self._buffers)}
        for group in self.param_groups:
            small = [torch.zeros([1] * p.ndim, dtype=p.dtype) for p in group["params"]]
            buffers: list[Buffers] = [{} for _ in small]
            with torch.no_grad():
                group["update"](small, [torch.zeros_like(p) for p in small], buffers, group)
            for parameter, stand_in, own in zip(group["params"], small, buffers, strict=True):
                for name, buffer in own.items():
                    shape = parameter.shape if buffer.shape == stand_in.shape else buffer.shape
                    made = torch.empty(shape, dtype=buffer.dtype, device="meta")
                    found[f"{numbers[parameter]}.{name}"] = made
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to buffers that `tensors` returned.

        Each gets its parameter's device and memory layout: fused updates walk memory.
        """
        parameters = self._parameters()
        self._buffers = {p: {} for p in parameters}
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            like = parameters[int(number)]
            buffer = tensor.to(like.device)
            if tensor.shape == like.shape:
                buffer = torch.empty_like(like, dtype=tensor.dtype).copy_(tensor)
            self._buffers[like][name] = buffer

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.param_groups for p in group["params"]]
