"""Muon: orthogonalised momentum for convolution filters (Jordan 2024).

The momentum of a layer's filters is a matrix with one row per filter. Muon replaces it by the
nearest matrix with orthonormal rows (or columns), so all singular values become about 1.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hundredfold.compute.process_group import ProcessGroup
from hundredfold.optim._optimizer import PROCESSES, Buffers, Group, Optimizer

_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan 2024: steepest at 0, between 0.7 and 1.2 near 1


def update(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    buffers: Sequence[Buffers],
    group: Group,
) -> None:
    """Update filters (o, c, kh, kw) in place; each layer is first rescaled to the norm sqrt(o).

    Matrices of equal shape are orthogonalised as one batch. The processes of a group divide the
    matrices among them, and add up the results: zeros but for one.
    """
    for own, gradient in zip(buffers, gradients, strict=True):
        if not own:
            own["momentum_buffer"] = torch.zeros_like(gradient)
    momenta = [own["momentum_buffer"] for own in buffers]
    torch._foreach_mul_(momenta, group["momentum"])
    torch._foreach_add_(momenta, list(gradients))
    nesterov = torch._foreach_add(list(gradients), momenta, alpha=group["momentum"])
    norms = torch._foreach_norm(list(parameters))
    for parameter, norm in zip(parameters, norms, strict=True):
        parameter.mul_(len(parameter) ** 0.5 / norm.clamp_(min=1e-7))
    processes: ProcessGroup | None = group.get(PROCESSES)
    matrices = [_matrix(gradient) for gradient in nesterov]
    if processes is None:
        updates = _orthogonal(dict(enumerate(matrices)), group["steps"])
    else:
        updates = _shared(matrices, group["steps"], processes)
    for index, parameter in enumerate(parameters):
        count, channels, *kernel = parameter.shape
        filters = updates[index].view(count, *kernel, channels).permute(0, 3, 1, 2)
        parameter.add_(filters, alpha=-group["lr"])


def share_work(optimizer: Optimizer, processes: ProcessGroup) -> None:
    """Let the processes of a group divide the work of Muon's updates among them."""
    for group in optimizer.param_groups:
        if group["update"] is update:
            group[PROCESSES] = processes


def _orthogonal(matrices: Mapping[int, Tensor], steps: int) -> dict[int, Tensor]:
    """Return index -> orthogonalised matrix."""
    by_shape: dict[torch.Size, list[int]] = {}
    for index, matrix in matrices.items():
        by_shape.setdefault(matrix.shape, []).append(index)
    return {
        index: updated
        for indices in by_shape.values()
        for index, updated in zip(
            indices, orthogonal(torch.stack([matrices[i] for i in indices]), steps), strict=True
        )
    }


def _shared(matrices: Sequence[Tensor], steps: int, processes: ProcessGroup) -> dict[int, Tensor]:
    """Return index -> orthogonalised matrix, each computed by one process of a group."""
    own = divide_by_cost([_cost(matrix) for matrix in matrices], processes.world)[processes.rank]
    updates = _orthogonal({index: matrices[index] for index in own}, steps)
    kind = next(iter(updates.values())).dtype if updates else _product_type(matrices[0])
    parts = [
        updates[index].reshape(-1)
        if index in updates
        else matrix.new_zeros(matrix.numel(), dtype=kind)
        for index, matrix in enumerate(matrices)
    ]
    total = processes.sum_(torch.cat(parts))
    parts = list(torch.split(total, [matrix.numel() for matrix in matrices]))
    return {k: part.view_as(m) for k, (part, m) in enumerate(zip(parts, matrices, strict=True))}


def divide_by_cost(costs: Sequence[float], parts: int) -> list[list[int]]:
    """Divide indices into parts of nearly equal cost: the dearest first, to the lightest part."""
    divided: list[list[int]] = [[] for _ in range(parts)]
    loads = [0.0] * parts
    for index in sorted(range(len(costs)), key=lambda k: (-costs[k], k)):
        lightest = loads.index(min(loads))
        divided[lightest].append(index)
        loads[lightest] += costs[index]
    return [sorted(part) for part in divided]


def _cost(matrix: Tensor) -> float:
    return float(matrix.numel() * min(matrix.shape))


def _product_type(matrix: Tensor) -> torch.dtype:
    """Return the dtype of a matrix product, which autocast may change."""
    small = matrix[:1, :1]
    return (small @ small.mT).dtype


def orthogonal(matrices: Tensor, steps: int) -> Tensor:
    """Return matrices (n, rows, columns) with their singular values brought near 1.

    A quintic Newton-Schulz iteration, x -> (a + b x x' + c (x x')^2) x. Every factor is a
    polynomial of the first x x'. So the factors are multiplied as (rows, rows) matrices, and the
    wide matrix is multiplied twice in all instead of twice per step. Three steps bring singular
    values above 1/50 of the Frobenius norm between 0.68 and 1.21, and smaller ones closer to 1.
    """
    a, b, c = _QUINTIC
    x = matrices / (matrices.flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-7)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    square = x @ x.mT
    product = None
    for step in range(steps):
        factor = torch.baddbmm(square, square, square, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        product = factor if product is None else factor @ product
        if step + 1 < steps:
            square = factor @ square @ factor
    assert product is not None
    result: Tensor = product @ x
    return result.mT if tall else result


def _matrix(filters: Tensor) -> Tensor:
    """Return filters (o, c, kh, kw) as rows (o, kh kw c); a view where they are channels-last."""
    return filters.permute(0, 2, 3, 1).reshape(len(filters), -1)
