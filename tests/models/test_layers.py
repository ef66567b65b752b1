import numpy as np
import pytest
import torch

from hundredfold.compute.dropout import Dropout
from hundredfold.errors import UsageError
from hundredfold.models._layers import Scale, need_size, pad_shortcut, stem_for


def pixels(count: int, size: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, size, size, 3)
    drawn = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return (drawn // torch.tensor([1, 2, 3], dtype=torch.uint8)).permute(0, 3, 1, 2)


def test_scale_follows_its_formula():
    scale, images = Scale(), pixels(5)
    scale.mean.copy_(torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1))
    scale.std.copy_(torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1))
    mean, std = np.array([10, 20, 30]), np.array([1, 2, 4])
    expected = (images.permute(0, 2, 3, 1).numpy() - mean) / std
    np.testing.assert_allclose(scale(images).permute(0, 2, 3, 1).numpy(), expected, rtol=1e-6)


def test_scale_keeps_the_layout_and_returns_float32():
    for images in (pixels(2), pixels(2).contiguous()):
        scaled = Scale()(images)
        assert scaled.dtype == torch.float32
        assert scaled.stride() == images.stride()


def test_scale_passes_gradients_to_float_images():
    images = pixels(2).float().requires_grad_()
    Scale()(images).sum().backward()
    assert images.grad is not None
    torch.testing.assert_close(images.grad, torch.full_like(images, 1 / 64))


@pytest.mark.parametrize("count", [1, 7, 300])
def test_fitted_mean_and_deviation_agree_with_numpy(count):
    scale, images = Scale(), pixels(count)
    scale.fit(images)
    array = images.numpy().astype(np.float64)
    np.testing.assert_allclose(scale.mean.flatten(), array.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(scale.std.flatten(), array.std((0, 2, 3)), rtol=1e-6)


def test_fitted_images_have_mean_zero_and_deviation_one():
    scale, images = Scale(), pixels(50)
    scale.fit(images)
    deviation, mean = torch.std_mean(scale(images), dim=(0, 2, 3))
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(deviation, torch.ones(3), atol=1e-3, rtol=0)


def test_a_constant_channel_is_only_shifted():
    scale = Scale()
    scale.fit(torch.full((4, 3, 5, 5), 200, dtype=torch.uint8))
    assert scale.std.flatten().tolist() == [1, 1, 1]
    assert not scale(torch.full((1, 3, 5, 5), 200, dtype=torch.uint8)).any()


def test_fitted_values_are_stored_with_the_weights():
    scale, other = Scale(), Scale()
    scale.fit(pixels(3))
    other.load_state_dict(scale.state_dict())
    assert torch.equal(other(pixels(2)), scale(pixels(2)))


@pytest.mark.parametrize("size", [1, 4, 5])
def test_the_shortcut_takes_every_other_pixel_and_appends_zeros(size):
    images = torch.randn(2, 3, size, size)
    short = pad_shortcut(images, 7, 2)
    assert short.shape == (2, 7, (size + 1) // 2, (size + 1) // 2)
    np.testing.assert_array_equal(short[:, :3].numpy(), images.numpy()[:, :, ::2, ::2])
    assert not short[:, 3:].any()


def test_the_stem_follows_the_size_unless_it_is_named():
    assert [stem_for("auto", size) for size in (32, 64, 95, 96, 224)] == [
        *["cifar"] * 3,
        *["imagenet"] * 2,
    ]
    assert stem_for("imagenet", 32) == "imagenet"
    assert stem_for("cifar", 224) == "cifar"


def test_images_that_are_too_small_are_refused():
    need_size("vgg", 32, 32)
    with pytest.raises(UsageError, match="at least 32 pixels, not 31"):
        need_size("vgg", 31, 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(301, 1001), (37, 19, 11, 13)])
def test_dropout_drops_its_fraction_and_scales_the_rest(shape, dtype):
    for x in (torch.ones(shape), torch.ones(shape).transpose(1, -1)):
        x = x.to(dtype).requires_grad_()
        torch.manual_seed(0)
        dropped = Dropout(0.2)(x)
        dropped.sum().backward()
        assert dropped.unique().tolist() == pytest.approx([0, 1.25], rel=1e-4)
        assert dropped.dtype == x.dtype
        assert dropped.stride() == x.stride()
        assert torch.equal(x.grad, dropped)
        kept = (dropped > 0).float()
        deviation = (0.2 * 0.8) ** 0.5
        assert abs(kept.mean() - 0.8) < 4 * deviation / kept.numel() ** 0.5
        # Adjacent values are independent, though one 64-bit number serves four of them.
        flat = kept.as_strided((kept.numel(),), (1,)) - 0.8
        for lag in range(1, 5):
            correlation = float((flat[lag:] * flat[:-lag]).mean()) / deviation**2
            assert abs(correlation) < 4 / kept.numel() ** 0.5


def test_dropout_follows_the_seed_and_leaves_inference_alone():
    layer, x = Dropout(0.5), torch.ones(4, 1000)
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(layer(x))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert layer.eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_dropout_with_a_probability_near_1_is_finite():
    assert Dropout(1 - 1e-9)(torch.ones(1000)).isfinite().all()
