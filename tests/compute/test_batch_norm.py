"""BatchNorm, sum and ReLU as one node give torch's results, NaNs included."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute import batch_norm
from hundredfold.compute.norms import BatchNorm2d, rectified

SHORTCUT = pytest.mark.parametrize("with_shortcut", [False, True])
WIDTHS = pytest.mark.parametrize("channels", [3, 16, 24, 36, 64])


def _maps(channels: int, seed: int, dtype: torch.dtype = torch.bfloat16, size: int = 12) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    maps = torch.randn(4, channels, size, size, generator=chance) * 2 + 0.5
    return maps.to(dtype).contiguous(memory_format=torch.channels_last)


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = BatchNorm2d(channels)
    chance = torch.Generator().manual_seed(7)
    nn.init.uniform_(norm.weight, 0.5, 1.5, generator=chance)
    nn.init.uniform_(norm.bias, -1, 1, generator=chance)
    return norm


def _separate(norm: nn.Module, x: Tensor, shortcut: Tensor | None) -> Tensor:
    y = norm(x)
    return F.relu(y if shortcut is None else y + shortcut)


def _results(
    function: Callable[..., Tensor], norm: nn.Module, x: Tensor, shortcut: Tensor | None
) -> list[Tensor]:
    """Return the output, the gradients of inputs and parameters, and the buffers."""
    inputs = [t.clone().requires_grad_() for t in (x, shortcut) if t is not None]
    layer = copy.deepcopy(norm)
    y = function(layer, *inputs, *[None] * (2 - len(inputs)))
    weights = torch.arange(y.numel()).view(y.shape) % 3 - 0.75
    (y.to(torch.float64) * weights).sum().backward()
    gradients = [t.grad for t in (*inputs, *layer.parameters())]
    return [y.detach(), *gradients, *layer.buffers()]


@pytest.fixture
def rows_at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_norm, "_LARGE", 1)


@SHORTCUT
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_node_has_every_bit_of_separate_layers(with_shortcut: bool, dtype: torch.dtype) -> None:
    shortcut = _maps(16, 1, dtype) if with_shortcut else None
    given = _norm(16), _maps(16, 0, dtype), shortcut
    found = zip(_results(rectified, *given), _results(_separate, *given), strict=True)
    assert all(torch.equal(one, other) for one, other in found)


@WIDTHS
@SHORTCUT
@pytest.mark.usefixtures("rows_at_any_size")
def test_rows_of_several_pixels_are_as_near_to_float64_as_torchs_layer(
    channels: int, with_shortcut: bool
) -> None:
    x = _maps(channels, 0)
    assert batch_norm._narrow(x) == (channels % 32 != 0)
    shortcut = _maps(channels, 1) if with_shortcut else None
    norm = _norm(channels)
    layers = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels).double()
    for layer in layers:
        layer.load_state_dict(norm.state_dict())
    doubles = (t if t is None else t.double() for t in (x, shortcut))
    found = _results(rectified, norm, x, shortcut)
    torchs = _results(_separate, layers[0], x, shortcut)
    exact = _results(_separate, layers[1], *doubles)
    for one, other, double in zip(found, torchs, exact, strict=True):
        error, least = (float((t.double() - double.double()).norm()) for t in (one, other))
        assert error <= 1.05 * least + 1e-6 * float(double.double().norm())


@WIDTHS
@pytest.mark.usefixtures("rows_at_any_size")
def test_running_statistics_of_rows_are_those_of_the_pixels(channels: int) -> None:
    x, norm = _maps(channels, 0), _norm(channels)
    rectified(norm, x)
    pixels = x.double().movedim(1, 0).flatten(1)
    assert torch.allclose(norm.running_mean.double(), 0.1 * pixels.mean(1), atol=1e-6)
    assert torch.allclose(norm.running_var.double(), 0.9 + 0.1 * pixels.var(1), atol=1e-6)


@pytest.mark.usefixtures("rows_at_any_size")
@pytest.mark.parametrize("channels", [16, 32])
def test_a_constant_channel_gives_its_rectified_bias_and_no_gradient(channels: int) -> None:
    x, norm = _maps(channels, 0), _norm(channels)
    x[:, 2] = 0.3
    norm.bias.data[2] = 0.5
    y, gradient, of_weight, *_ = _results(rectified, norm, x, None)
    assert (y[:, 2] == 0.5).all()
    assert (gradient[:, 2] == 0).all()
    assert of_weight[2] == 0


@pytest.mark.parametrize("value", [float("nan"), -float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", ["pixel", "weight", "bias"])
def test_what_is_no_number_stays_none(value: float, place: str) -> None:
    """As integers, half of all NaNs are negative, and a ReLU would turn them into zeros."""
    x, norm = _maps(32, 0), _norm(32)
    x.requires_grad_()
    with torch.no_grad():
        {"pixel": x[0, 2, 3], "weight": norm.weight[2], "bias": norm.bias[2]}[place].fill_(value)
    y = rectified(norm, x)
    expected = _separate(copy.deepcopy(norm), x, None)
    assert torch.equal(y.isnan(), expected.isnan())
    assert torch.equal(y.nan_to_num(), expected.nan_to_num())


def test_a_layer_that_is_watched_is_called() -> None:
    norm, seen = _norm(16), []
    norm.register_forward_hook(lambda *_: seen.append(True))
    rectified(norm, _maps(16, 0))
    assert seen


def test_a_folded_layer_leaves_sum_and_relu() -> None:
    x, shortcut = _maps(16, 0), _maps(16, 1)
    expected = F.relu(x + shortcut)
    assert torch.equal(rectified(nn.Identity(), x.clone(), shortcut), expected)
