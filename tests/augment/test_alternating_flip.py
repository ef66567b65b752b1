"""Any two consecutive epochs show every image both ways."""

import numpy as np
import pytest
import torch

from hundredfold.augment import pipeline
from hundredfold.engines.pytorch.feed import Feed

FLIP = pipeline("alternating_flip")
COUNT = 64


def _images() -> torch.Tensor:
    """Noise: no image is its own mirror image."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (COUNT, 8, 8, 3), dtype=torch.uint8, generator=generator)


def _mirrored(epoch: int, keys: torch.Tensor) -> list[bool]:
    """Return which images came out mirrored; the others must be unchanged."""
    images = _images().permute(0, 3, 1, 2)
    results, _ = FLIP(images, torch.eye(COUNT), torch.Generator(), epoch, keys)
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(results, images, strict=True)]
    assert all(m or torch.equal(a, b) for m, a, b in zip(mirrored, results, images, strict=True))
    return mirrored


@pytest.mark.parametrize("epoch", [0, 1, 2, 17])
def test_the_next_epoch_shows_every_image_the_other_way(epoch: int) -> None:
    keys = torch.randint(2**62, (COUNT,), generator=torch.Generator().manual_seed(1))
    now, later = _mirrored(epoch, keys), _mirrored(epoch + 1, keys)
    assert all(a != b for a, b in zip(now, later, strict=True))
    assert _mirrored(epoch + 2, keys) == now


def test_about_half_begin_mirrored_whatever_their_order() -> None:
    keys = torch.randint(2**62, (COUNT,), generator=torch.Generator().manual_seed(1))
    mirrored = _mirrored(0, keys)
    assert COUNT // 4 < sum(mirrored) < 3 * COUNT // 4
    assert mirrored != [k % 2 == 0 for k in range(COUNT)]
    assert mirrored != [k % 2 == 1 for k in range(COUNT)]


def test_a_feed_shows_each_image_both_ways_in_any_order() -> None:
    pixels, labels = _images().numpy(), np.arange(COUNT)
    with Feed(
        pixels, labels, np.arange(COUNT), classes=COUNT, batch_size=16, seed=5, augment=FLIP
    ) as feed:
        shown: list[list[torch.Tensor]] = [[] for _ in labels]
        for batch in (*feed.epoch(3), *feed.epoch(4)):
            for image, label in zip(*batch, strict=True):
                shown[int(label.argmax())].append(image)
    for k, image in enumerate(torch.from_numpy(pixels).permute(0, 3, 1, 2)):
        assert len(shown[k]) == 2
        assert any(torch.equal(one, image) for one in shown[k])
        assert any(torch.equal(one, image.flip(2)) for one in shown[k])
