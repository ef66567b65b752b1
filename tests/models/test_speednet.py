"""speednet's own parts: the whitening of patches, the head, the sizes, the first filters."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.errors import UsageError
from hundredfold.models import build
from hundredfold.models.speednet import SpeedNet, Whiten


def _network(size: int = 32, *, width: float = 0.125, classes: int = 10) -> SpeedNet:
    network = build(f"speednet(width={width})", classes=classes, size=size, seed=0)
    assert isinstance(network, SpeedNet)
    return network


def _photographs(count: int = 60, size: int = 32) -> Tensor:
    """Smooth colourful images with grain, so that neighbours and channels go together."""
    chance = torch.Generator().manual_seed(3)
    small = torch.rand(count, 3, 6, 6, generator=chance)
    grain = torch.randn(count, 3, size, size, generator=chance)
    smooth = F.interpolate(small, (size, size), mode="bilinear").mul(0.6)
    pixels = 255 * (smooth + 0.4 * smooth.mean(1, keepdim=True)) + 12 * grain
    return pixels.round().clamp(0, 255).byte()


def _patches(images: np.ndarray) -> np.ndarray:
    """Return every 2x2 patch of (n, 3, h, w) as a row of 12."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (2, 2), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 12)


def test_whitened_patches_of_the_fitted_images_have_the_identity_as_covariance() -> None:
    model, images = _network(), _photographs()
    model.fit(images)
    scaled = model.scale(images)
    raw = np.cov(_patches(scaled.numpy()).astype(np.float64), rowvar=False)
    assert np.abs(raw - np.eye(12)).max() > 0.5, "they were far from it before"
    with torch.no_grad():
        projected = F.conv2d(scaled, model.whiten.weight).double()
    rows = projected.permute(0, 2, 3, 1).reshape(-1, 24).numpy()
    covariance = np.cov(rows[:, :12], rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(12), atol=0.05)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3)
    np.testing.assert_array_equal(rows[:, 12:], -rows[:, :12])


def test_filters_are_sorted_by_variance_with_defined_signs() -> None:
    model, images = _network(), _photographs()
    model.fit(images)
    filters = model.whiten.weight[:12].flatten(1).double()
    assert (filters.sum(1) >= -1e-6).all()
    lengths = filters.norm(dim=1)
    assert (lengths.diff() >= -1e-6).all(), "a component of larger variance has a smaller filter"


def test_constant_images_have_bounded_filters() -> None:
    whiten = Whiten()
    whiten.fit(torch.zeros(2, 3, 4, 4), eps=1e-2)
    assert whiten.weight.isfinite().all()
    assert whiten.weight.flatten(1).norm(dim=1).max() <= 10.001


def test_whitening_is_fitted_on_2000_images_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    monkeypatch.setattr(Whiten, "fit", lambda _, images: seen.append(images))
    _network().fit(torch.zeros(5000, 3, 9, 9, dtype=torch.uint8))
    assert 1000 < len(seen[0]) <= 2000


@pytest.mark.parametrize(
    ("size", "maps"),
    [(9, (4, 2, 1)), (20, (9, 4, 2)), (24, (11, 5, 2)), (32, (15, 7, 3)), (48, (23, 11, 5))],
)
def test_a_size_is_halved_three_times_and_trains(size: int, maps: tuple[int, ...]) -> None:
    model, sides = _network(size), []
    for group in (model.group1, model.group2, model.group3):
        group.register_forward_hook(lambda _m, _i, output: sides.append(output.shape[2:]))
    images = _photographs(8, size)
    loss = F.cross_entropy(model(images), torch.arange(8))
    loss.backward()
    assert sides == [(side, side) for side in maps]
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("size", "sides"), [(20, (19, 8, 4)), (24, (23, 10, 4)), (32, (31, 14, 6)), (48, (47, 23, 10))]
)
def test_rows_that_pooling_drops_are_left_out_from_an_eighth_of_the_map(
    size: int, sides: tuple[int, ...]
) -> None:
    model, seen = _network(size).double().eval(), []
    groups = (model.group1, model.group2, model.group3)
    images = _photographs(4, size)
    with torch.no_grad():
        for group in groups:
            group.conv1.register_forward_hook(lambda _m, _i, output: seen.append(output.shape[2:]))
        even = model(images)
        for group in groups:
            group.conv1.even = False
        full = model(images)
    assert seen[:3] == [(side, side) for side in sides]
    assert seen[3:] != seen[:3]
    torch.testing.assert_close(even, full)


def test_a_size_that_leaves_no_pixel_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 9 pixels, not 8"):
        _network(8)


@pytest.mark.parametrize("width", [0.1, 9.0])
def test_a_width_out_of_range_is_refused(width: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        build(f"speednet(width={width})", classes=10, size=32, seed=0)


def test_the_head_adds_the_largest_and_the_mean_of_each_map() -> None:
    model, kept = _network().eval(), []
    model.group3.register_forward_hook(lambda _m, _i, output: kept.append(output.double()))
    with torch.no_grad():
        logits = model(_photographs(4)).double()
    maps = kept[0].numpy()
    pooled = maps.max(axis=(2, 3)) + maps.mean(axis=(2, 3))
    expected = pooled @ model.head.weight.detach().double().numpy().T * 1.25 / 9
    np.testing.assert_allclose(logits.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_gradients_of_maps_are_channels_last_too() -> None:
    model = _network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    channels_last: list[bool] = []

    def follow(_module: nn.Module, _inputs: object, maps: Tensor) -> None:
        note(maps)
        maps.register_hook(note)

    def note(tensor: Tensor) -> None:
        channels_last.append(tensor.is_contiguous(memory_format=torch.channels_last))

    model.group3.register_forward_hook(follow)
    model(_photographs(4).contiguous(memory_format=torch.channels_last)).sum().backward()
    assert channels_last == [True, True]


def test_filters_are_initially_the_identity_on_the_input_channels() -> None:
    model = _network(width=1.0, classes=2)
    x = torch.randn(1, 64, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.group1.conv2(x), x)
        assert torch.equal(model.group2.conv1(x)[:, :64], x)
        assert not torch.equal(model.group2.conv1(x)[:, 64:128], x)
