"""Muon: steps of equal length in every direction of a filter bank (Jordan 2024).

The momentum of a bank of filters, as a matrix of one row a filter, is replaced by the nearest
matrix with orthonormal rows (or columns): all its singular values become about 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hundredfold.optim._optimizer import Buffers, Group

_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan 2024: steepest at 0, within .7 to 1.2 near 1


def update(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    buffers: Sequence[Buffers],
    group: Group,
) -> None:
    """Move filters (o, c, kh, kw) in place; each bank is first put at the norm sqrt(o).

    Banks whose matrices have one shape are orthogonalised together.
    """
    for own, gradient in zip(buffers, gradients, strict=True):
        if not own:
            own["momentum_buffer"] = torch.zeros_like(gradient)
    momenta = [own["momentum_buffer"] for own in buffers]
    torch._foreach_mul_(momenta, group["momentum"])
    torch._foreach_add_(momenta, list(gradients))
    ahead = torch._foreach_add(list(gradients), momenta, alpha=group["momentum"])
    norms = torch._foreach_norm(list(parameters))
    for parameter, norm in zip(parameters, norms, strict=True):
        parameter.mul_(len(parameter) ** 0.5 / norm.clamp_(min=1e-7))
    by_shape: dict[tuple[int, int], list[int]] = {}
    for number, parameter in enumerate(parameters):
        by_shape.setdefault(_matrix(parameter).shape, []).append(number)  # type: ignore[arg-type]
    for numbers in by_shape.values():
        together = torch.stack([_matrix(ahead[n]) for n in numbers])
        moves = orthogonal(together, group["steps"])
        for number, move in zip(numbers, moves, strict=True):
            count, channels, *kernel = parameters[number].shape
            filters = move.view(count, *kernel, channels).permute(0, 3, 1, 2)
            parameters[number].add_(filters, alpha=-group["lr"])


def orthogonal(matrices: Tensor, steps: int) -> Tensor:
    """Return matrices (n, rows, columns) with their singular values brought near 1.

    A quintic Newton-Schulz iteration, x -> (a + b x x' + c (x x')^2) x. All factors are
    polynomials of the first x x', so they are multiplied in that small square, and the wide
    matrix takes part twice instead of twice a step. Three steps bring singular values above a
    fiftieth of the Frobenius norm to between .68 and 1.21, and smaller ones nearer.
    """
    a, b, c = _QUINTIC
    x = matrices / (matrices.flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-7)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    square = x @ x.mT
    whole = None
    for step in range(steps):
        factor = torch.baddbmm(square, square, square, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        whole = factor if whole is None else factor @ whole
        if step + 1 < steps:
            square = factor @ square @ factor
    assert whole is not None
    found: Tensor = whole @ x
    return found.mT if tall else found


def _matrix(filters: Tensor) -> Tensor:
    """Return filters (o, c, kh, kw) as rows, without copying where they lie channels-last."""
    return filters.permute(0, 2, 3, 1).reshape(len(filters), -1)
