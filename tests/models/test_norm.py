"""BatchNorm of a batch in pieces is BatchNorm of the whole batch."""

import copy
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hundredfold.models._norm import BatchNorm, BatchNorm1d, BatchNorm2d, Numbers

LAYERS = {1: (BatchNorm1d, nn.BatchNorm1d), 2: (BatchNorm2d, nn.BatchNorm2d)}
SIZES = {"even": (4, 4), "uneven": (1, 7, 3), "alone": (8,)}
ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


def _layer(kind: Any, channels: int, momentum: float = 0.3) -> Any:
    layer = kind(channels, momentum=momentum)
    chance = torch.Generator().manual_seed(channels)
    for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
        tensor.data = torch.rand(channels, generator=chance) + 0.5
    return layer


def _in_pieces(
    layer: BatchNorm, pieces: Sequence[Tensor], gradients: Sequence[Tensor]
) -> list[tuple[Tensor, Tensor, BatchNorm]]:
    """Send each piece through a copy of the layer in a thread of its own, and back."""
    given: list[Numbers] = [np.empty(0)] * len(pieces)
    everyone = threading.Barrier(len(pieces))
    found: dict[int, tuple[Tensor, Tensor, BatchNorm]] = {}

    def work(number: int) -> None:
        def all_reduce(numbers: Numbers) -> Numbers:
            given[number] = numbers
            everyone.wait()
            total: Numbers = np.sum(given, axis=0)
            everyone.wait()
            return total

        own, x = copy.deepcopy(layer), pieces[number].clone().requires_grad_()
        own.all_reduce = all_reduce
        y = own(x)
        y.backward(gradients[number])
        assert x.grad is not None
        found[number] = y.detach(), x.grad, own

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(pieces))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(pieces))]


def _close(found: Tensor, wanted: Tensor, rounding: float) -> None:
    scale = float(wanted.abs().max())
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=rounding * scale)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("kind", ROUNDING)
@pytest.mark.parametrize(
    ("dimensions", "shape"), [(1, (5,)), (2, (3, 6, 7)), (2, (16, 8, 8)), (2, (40, 1, 1))]
)
def test_it_is_that_of_the_whole_batch(
    dimensions: int, shape: tuple[int, ...], kind: torch.dtype, sizes: str
) -> None:
    ours, theirs = (_layer(layer, shape[0]) for layer in LAYERS[dimensions])
    chance = torch.Generator().manual_seed(0)
    size = (sum(SIZES[sizes]), *shape)
    x, gradient = (torch.randn(size, generator=chance).to(kind) for _ in range(2))
    x = 2 * x + 3
    if dimensions == 2:
        x, gradient = (t.contiguous(memory_format=torch.channels_last) for t in (x, gradient))
    exact = theirs.double()
    given = x.double().requires_grad_()
    wanted = exact(given)
    wanted.backward(gradient.double())

    found = _in_pieces(ours, x.split(SIZES[sizes]), gradient.split(SIZES[sizes]))
    assert found[0][0].dtype == found[0][1].dtype == kind
    _close(torch.cat([y for y, _, _ in found]), wanted.detach(), ROUNDING[kind])
    _close(torch.cat([of_x for _, of_x, _ in found]), given.grad, ROUNDING[kind])
    for name in ("weight", "bias"):
        total = sum(getattr(own, name).grad for _, _, own in found)
        _close(total, getattr(exact, name).grad, 1e-4)
    for _, _, own in found:
        for name in ("running_mean", "running_var"):
            _close(getattr(own, name), getattr(exact, name), 1e-5)
            assert getattr(own, name).dtype == torch.float32


def test_a_large_mean_costs_no_digits() -> None:
    layer, x = _layer(BatchNorm2d, 2), torch.randn(8, 2, 4, 4) + 1000
    wanted = _layer(nn.BatchNorm2d, 2).double()(x.double())
    found = _in_pieces(layer, x.split(4), torch.zeros_like(x).split(4))
    _close(torch.cat([y for y, _, _ in found]), wanted.detach(), 1e-3)


def test_a_channel_that_never_changes_becomes_its_bias() -> None:
    layer, x = _layer(BatchNorm2d, 3, momentum=1.0), torch.full((7, 3, 7, 7), 505.6)
    for y, of_x, own in _in_pieces(layer, x.split((3, 4)), torch.ones_like(x).split((3, 4))):
        torch.testing.assert_close(y, layer.bias.view(-1, 1, 1).expand_as(y), atol=0.05, rtol=0)
        assert of_x.isfinite().all()
        assert (own.running_var >= 0).all()


def test_without_others_it_is_the_librarys() -> None:
    x = torch.randn(8, 3, 4, 4)
    for training in (True, False):
        ours, theirs = (_layer(kind, 3).train(training) for kind in LAYERS[2])
        assert torch.equal(ours(x), theirs(x))
        assert torch.equal(ours.running_var, theirs.running_var)


def test_in_evaluation_nobody_is_asked() -> None:
    layer, x = _layer(BatchNorm2d, 3).eval(), torch.randn(8, 3, 4, 4)
    wanted = layer(x)

    def refuse(_: Numbers) -> Numbers:
        raise AssertionError

    layer.all_reduce = refuse
    assert torch.equal(layer(x), wanted)
