"""Operations that blend, paste and cover: labels follow the pixels."""

import pytest
import torch

from hundredfold.augment import pipeline
from hundredfold.errors import UsageError

COUNT = 400


def run(chain: str, images: torch.Tensor, labels: torch.Tensor, seed: int = 0):
    return pipeline(chain)(images, labels, torch.Generator().manual_seed(seed))


def black_and_white(count: int = COUNT, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Even images are black and of class 0, odd ones white and of class 1."""
    odd = torch.arange(count) % 2
    images = (odd * 255).to(torch.uint8)[:, None, None, None].expand(-1, 3, size, size)
    return images.contiguous(memory_format=torch.channels_last), torch.eye(2)[odd]


@pytest.mark.parametrize("chain", ["mixup(alpha=1.0)", "cutmix", "cutmix | mixup"])
def test_the_label_is_the_fraction_of_white_in_the_picture(chain):
    images, labels = run(chain, *black_and_white())
    white = images.float().mean((1, 2, 3)) / 255
    torch.testing.assert_close(labels[:, 1], white, atol=0.003, rtol=0)
    assert ((white > 0.05) & (white < 0.95)).float().mean() > 0.3


def test_mixup_blends_evenly_and_cutmix_pastes():
    blended, _ = run("mixup(alpha=1.0)", *black_and_white())
    assert (blended.flatten(1).amax(1) == blended.flatten(1).amin(1)).all()
    pasted, _ = run("cutmix", *black_and_white())
    assert ((pasted == 0) | (pasted == 255)).all()


def test_what_cutmix_pastes_is_a_rectangle():
    images, _ = run("cutmix", *black_and_white())
    for index, image in enumerate(images[:, 0]):
        changed = image != 255 * (index % 2)
        rows, columns = changed.any(1), changed.any(0)
        assert changed.sum() == rows.sum() * columns.sum()


@pytest.mark.parametrize(("alpha", "deviation"), [(1.0, 0.2887), (0.2, 0.4226)])
def test_the_kept_part_of_mixup_has_the_deviation_of_a_beta_distribution(alpha, deviation):
    labels = torch.eye(4000)
    _, mixed = run(f"mixup(alpha={alpha})", torch.zeros(4000, 3, 8, 8, dtype=torch.uint8), labels)
    kept = mixed.diagonal()
    assert abs(kept.mean() - 0.5) < 0.03
    assert abs(kept.std() - deviation) < 0.01


@pytest.mark.parametrize("chain", ["mixup(alpha=0.0)", "cutmix(alpha=0.0)", "cutout(size=0)"])
def test_no_strength_is_the_identity(chain):
    images, labels = black_and_white(16)
    result = run(chain, images, labels)
    assert torch.equal(result[0], images)
    assert torch.equal(result[1], labels)


@pytest.mark.parametrize(
    "chain", ["mixup(probability=0.3)", "cutmix(probability=0.3)", "erase(probability=0.3)"]
)
def test_a_fraction_of_the_images_is_changed(chain):
    size, count = 16, 2000
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
    images, _ = run(chain, pixels, torch.zeros(count, 2))
    changed = (images != pixels).flatten(1).any(1).float().mean()
    assert 0.2 < changed < 0.35


def test_cutout_covers_a_square_that_may_hang_over_the_edge():
    images = torch.zeros(4000, 3, 16, 16, dtype=torch.uint8)
    covered, _ = run("cutout(size=6, fill=200)", images, torch.zeros(4000, 2))
    assert set(covered.unique().tolist()) == {0, 200}
    area = (covered[:, 0] == 200).sum((1, 2))
    assert area.max() == 36
    assert area.min() == 9
    corner = (covered[:, 0, 0, 0] == 200).float().mean()
    middle = (covered[:, 0, 8, 8] == 200).float().mean()
    assert abs(corner - 16 / 256) < 0.02
    assert abs(middle - 36 / 256) < 0.02


def test_erased_areas_and_aspects_are_in_range():
    images = torch.zeros(2000, 3, 64, 64, dtype=torch.uint8)
    erased, _ = run("erase(probability=1.0, low=0.1, high=0.2)", images, torch.zeros(2000, 2))
    changed = (erased != 0).any(1)
    height, width = changed.any(2).sum(1), changed.any(1).sum(1)
    area = (height * width) / 64**2
    assert 0.09 < area.min() < 0.11
    assert 0.19 < area.max() < 0.21
    aspect = height / width
    assert 0.27 < aspect.min() < 0.35
    assert 2.9 < aspect.max() < 3.7


def test_erased_pixels_are_random():
    images = torch.zeros(300, 3, 32, 32, dtype=torch.uint8)
    erased, _ = run("erase(probability=1.0, low=0.3)", images, torch.zeros(300, 2))
    noise = erased[erased != 0].double()
    assert abs(noise.mean() - 128) < 2
    assert abs(noise.std() - 73.6) < 2


@pytest.mark.parametrize(
    "chain",
    [
        "mixup(alpha=-1.0)",
        "cutmix(probability=2.0)",
        "cutout(size=-8)",
        "cutout(fill=300)",
        "erase(low=0.5, high=0.1)",
        "erase(aspect=0.0)",
        "trivial(strength=1.0)",
    ],
)
def test_a_wrong_option_is_refused(chain):
    with pytest.raises(UsageError):
        pipeline(chain)
