"""Muon's step against singular value decompositions in float64."""

import pytest
import torch
from torch import Tensor, nn

from hundredfold.optim import Optimizer, optimizers
from hundredfold.optim._muon import orthogonal

SHAPES = [(16, 48), (48, 16), (32, 32), (8, 24)]
LOW, HIGH = 0.68, 1.21  # of singular values after three steps, as the docstring has it


def _drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _with_values(values: Tensor, rows: int, columns: int) -> Tensor:
    """Return a matrix with those singular values and directions drawn at random."""
    left = torch.linalg.qr(_drawn(rows, len(values), seed=1).double()).Q
    right = torch.linalg.qr(_drawn(columns, len(values), seed=2).double()).Q
    return (left * values @ right.T).float()


def _quintic(values: Tensor, steps: int) -> Tensor:
    """Jordan 2024: what a Newton-Schulz step does to a singular value."""
    for _ in range(steps):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return values


def _by_decomposition(matrix: Tensor, steps: int) -> Tensor:
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    return left * _quintic(values / values.norm(), steps) @ right


@pytest.mark.parametrize("steps", [1, 3, 5])
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_directions_stay_and_singular_values_follow_the_quintic(
    rows: int, columns: int, steps: int
) -> None:
    matrices = _drawn(3, rows, columns) * torch.tensor([1e-4, 1.0, 300.0]).view(3, 1, 1)
    for matrix, actual in zip(matrices, orthogonal(matrices, steps), strict=True):
        expected = _by_decomposition(matrix, steps)
        torch.testing.assert_close(actual.double(), expected, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize(("rows", "columns"), [(64, 96), (96, 64)])
def test_three_steps_leave_singular_values_in_the_band_that_is_stated(
    rows: int, columns: int
) -> None:
    spread = torch.logspace(0, -1.5, 64, dtype=torch.float64)
    shares = spread / spread.norm()
    (actual,) = orthogonal(_with_values(spread, rows, columns)[None], 3)
    values = torch.linalg.svdvals(actual.double())
    assert values.max() < HIGH
    assert (values > LOW).sum() >= (shares > 0.02).sum() > 40
    assert values.min() < 0.5, "the smallest are to be outside, or nothing is shown"


def test_no_singular_value_ends_far_above_one() -> None:
    """On a fine grid of shares of the norm, each the largest of a matrix of two."""
    share = torch.linspace(0.02, 0.9999, 2000, dtype=torch.float64)
    pairs = torch.stack([share, (1 - share**2).sqrt()], 1)
    actual = orthogonal(torch.diag_embed(pairs).float(), 3).diagonal(dim1=1, dim2=2)
    assert LOW < actual[:, 0].min() < LOW + 0.01
    assert HIGH - 0.01 < actual[:, 0].max() < HIGH


@pytest.mark.parametrize(("rows", "columns"), [(64, 256), (256, 64)])
def test_bf16_is_off_by_a_few_hundredths(rows: int, columns: int) -> None:
    matrix = _drawn(1, rows, columns)
    with torch.autocast("cpu", torch.bfloat16):
        (actual,) = orthogonal(matrix, 3)
    expected = _by_decomposition(matrix[0], 3)
    assert (actual.double() - expected).norm() < 0.05 * expected.norm()
    values = torch.linalg.svdvals(actual.double())
    assert values.min() > LOW - 0.03
    assert values.max() < HIGH + 0.03


def test_a_matrix_of_nothing_stays_nothing() -> None:
    assert not orthogonal(torch.zeros(1, 4, 8), 3).any()


class Banks(nn.Module):
    """Filter banks of which two share a shape, one is tall, and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, 3)
        self.tall, self.dense = nn.Conv2d(2, 24, 2), nn.Linear(5, 3)

    @property
    def banks(self) -> list[Tensor]:
        return [self.first.weight, self.second.weight, self.tall.weight]


def _banks(layout: torch.memory_format = torch.channels_last) -> Banks:
    torch.manual_seed(4)
    return Banks().to(memory_format=layout)


def _walk(model: nn.Module, optimizer: Optimizer, steps: range) -> None:
    """Step along gradients that depend on the step and the parameter's place alone."""
    for step in steps:
        for number, parameter in enumerate(model.parameters()):
            drawn = _drawn(*parameter.shape, seed=100 * step + number)
            parameter.grad = torch.empty_like(parameter).copy_(drawn)
        optimizer.step()


def test_filters_are_put_at_one_norm_and_moved_along_the_orthogonalised_momentum() -> None:
    model = _banks()
    optimizer = optimizers.muon(model, lr=0.1, momentum=0.6)
    expected = [p.detach().double().clone() for p in model.banks]
    momenta = [torch.zeros_like(p) for p in expected]
    indices = [[id(q) for q in model.parameters()].index(id(p)) for p in model.banks]
    for step in range(3):
        _walk(model, optimizer, range(step, step + 1))
        for p, momentum, index in zip(expected, momenta, indices, strict=True):
            gradient = _drawn(*p.shape, seed=100 * step + index).double()
            momentum.mul_(0.6).add_(gradient)
            rows = (gradient + 0.6 * momentum).flatten(1)
            p.mul_(len(p) ** 0.5 / p.norm()).sub_(0.1 * _by_decomposition(rows, 3).view(p.shape))
    for actual, want in zip(model.banks, expected, strict=True):
        torch.testing.assert_close(actual.detach().double(), want, rtol=1e-3, atol=1e-3)


def test_banks_of_one_shape_are_updated_together_as_they_would_be_alone() -> None:
    together, alone = _banks(), _banks()
    joint = optimizers.muon(together)
    single = [optimizers.muon(module) for module in alone.children()]
    for step in range(3):
        _walk(together, joint, range(step, step + 1))
        for number, parameter in enumerate(alone.parameters()):
            drawn = _drawn(*parameter.shape, seed=100 * step + number)
            parameter.grad = torch.empty_like(parameter).copy_(drawn)
        for optimizer in single:
            optimizer.step()
    for one, other in zip(together.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_filters_that_do_not_lie_channels_last_are_updated_as_well() -> None:
    """The rows of a matrix are the same in another order, which turns no singular vector."""
    last, first = _banks(), _banks(torch.contiguous_format)
    for model in (last, first):
        _walk(model, optimizers.muon(model), range(3))
    start = _banks()
    for one, other, before in zip(
        last.parameters(), first.parameters(), start.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        assert not torch.equal(one, before)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_walk_that_is_broken_off_goes_on_to_the_same_bits(layout: torch.memory_format) -> None:
    whole, broken = _banks(layout), _banks(layout)
    _walk(whole, optimizers.muon(whole), range(6))
    before = optimizers.muon(broken)
    _walk(broken, before, range(3))
    stored = {name: tensor.clone() for name, tensor in before.tensors().items()}
    assert len(stored) == len([*broken.parameters()])
    after = optimizers.muon(broken)
    after.load(stored)
    _walk(broken, after, range(3, 6))
    for one, other in zip(whole.parameters(), broken.parameters(), strict=True):
        assert torch.equal(one, other)


def test_filters_turn_towards_what_lowers_the_loss() -> None:
    target = _drawn(6, 4, 3, 3, seed=9)
    bank = nn.Conv2d(4, 6, 3, bias=False)
    optimizer = optimizers.muon(bank, lr=0.05)

    def alike() -> float:
        rows = bank.weight.detach().flatten(), target.flatten()
        return float(nn.functional.cosine_similarity(*rows, dim=0))

    assert alike() < 0.5
    for _ in range(60):
        optimizer.zero_grad()
        (-(bank.weight * target).sum()).backward()
        optimizer.step()
    assert alike() > 0.9


def test_frozen_filters_are_left_alone() -> None:
    model = _banks()
    model.first.weight.requires_grad_(False)
    held = {id(p) for group in optimizers.muon(model).param_groups for p in group["params"]}
    assert id(model.first.weight) not in held
    assert len(held) == len([*model.parameters()]) - 1
