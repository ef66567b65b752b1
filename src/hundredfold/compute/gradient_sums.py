"""Add up the gradients of several processes, after the backward pass.

Rounding depends on the order of a sum. Where each process has whole micro-batches, their gradients
are added in the order of one process, which gives its bits. That sends one row of gradients for
each micro-batch. Otherwise each process sends its own sum.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from hundredfold.compute.process_group import ProcessGroup

_BUCKET = 2**23  # gradients that are summed in one go: 32 MB in float32


def used(group: ProcessGroup, gradients: Sequence[Tensor | None], *, failed: bool) -> list[int]:
    """Return the indices of gradients that are there in some process.

    failed: whether memory was too little in this process. Raises MemoryError in all processes
    where it was in one.
    """
    there = torch.tensor([failed, *(g is not None for g in gradients)], dtype=torch.int64)
    lacking, *flags = group.count(there).tolist()
    if lacking:
        raise MemoryError("not enough memory for a micro-batch in one of the processes")
    return [index for index, flag in enumerate(flags) if flag]


def buckets(parameters: Sequence[Parameter], indices: Sequence[int]) -> list[list[int]]:
    """Return indices in groups, each of one dtype and about `_BUCKET` numbers."""
    groups: list[list[int]] = []
    room, kind = 0, None
    for index in indices:
        parameter = parameters[index]
        if room < parameter.numel() or parameter.dtype != kind:
            groups.append([])
            room, kind = max(_BUCKET, parameter.numel()), parameter.dtype
        groups[-1].append(index)
        room -= parameter.numel()
    return groups


@torch.no_grad()
def add_up(group: ProcessGroup, parameters: Sequence[Parameter]) -> None:
    """Replace the gradients of parameters, all of one dtype, by their sums over all processes."""
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [p.grad for p in parameters if p.grad is not None]
    total = group.sum_(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    parts = torch.split(total, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


@torch.no_grad()
def add_in_order(
    group: ProcessGroup,
    parameters: Sequence[Parameter],
    gradients: Sequence[Sequence[Tensor | None]],
    counts: Sequence[int],
) -> None:
    """Add the gradients of all micro-batches to those of parameters, in the order of the processes.

    parameters: all of one dtype. gradients: those of each of this process' micro-batches; None is
    0. counts: micro-batches of each process.
    """
    pairs = [list(zip(own, parameters, strict=True)) for own in gradients]
    rows = [torch.cat([_flat(g, parameter) for g, parameter in own]) for own in pairs]
    sizes = [parameter.numel() for parameter in parameters]
    for row in gathered(group, rows, counts):
        for parameter, part in zip(parameters, torch.split(row, sizes), strict=True):
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter).copy_(part.view_as(parameter))
            else:
                parameter.grad.add_(part.view_as(parameter))


def gathered(
    group: ProcessGroup, rows: Sequence[Tensor], counts: Sequence[int]
) -> Iterator[Tensor]:
    """Yield rows of numbers of all processes, in their order; counts: how many each has."""
    table = rows[0].new_zeros(max(counts), len(rows[0]))
    table[: len(rows)] = torch.stack(list(rows))
    for count, part in zip(counts, group.gather(table), strict=True):
        yield from part[:count]


def _flat(gradient: Tensor | None, parameter: Parameter) -> Tensor:
    return torch.zeros_like(parameter).view(-1) if gradient is None else gradient.reshape(-1)
