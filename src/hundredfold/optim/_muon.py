"""Muon: orthogonalised momentum for convolution filters (Jordan 2024).

The momentum of a layer's filters is a matrix with one row per filter. Muon replaces it by the
nearest matrix with orthonormal rows (or columns), so all singular values become about 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hundredfold.optim._optimizer import Buffers, Group

_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan 2024: steepest at 0, between 0.7 and 1.2 near 1


def update(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    buffers: Sequence[Buffers],
    group: Group,
) -> None:
    """Update filters (o, c, kh, kw) in place; each layer is first rescaled to the norm sqrt(o).

    Matrices of equal shape are orthogonalised as one batch.
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
    by_shape: dict[tuple[int, int], list[int]] = {}
    for index, parameter in enumerate(parameters):
        by_shape.setdefault(_matrix(parameter).shape, []).append(index)  # type: ignore[arg-type]
    for indices in by_shape.values():
        matrices = torch.stack([_matrix(nesterov[i]) for i in indices])
        updates = orthogonal(matrices, group["steps"])
        for index, matrix in zip(indices, updates, strict=True):
            count, channels, *kernel = parameters[index].shape
            filters = matrix.view(count, *kernel, channels).permute(0, 3, 1, 2)
            parameters[index].add_(filters, alpha=-group["lr"])


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
