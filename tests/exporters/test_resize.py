"""The resize of an exported file is Pillow's, whatever the size, the aspect and the policy."""

import numpy as np
import pytest
import torch
from PIL import Image

from hundredfold.data import decode
from hundredfold.exporters._graph import to_onnx
from hundredfold.exporters._resize import ResizeImages
from hundredfold.onnx_model import session_of
from hundredfold.size import Size

SIDES = [(1, 1), (1, 90), (90, 1), (7, 5), (20, 28), (28, 20), (40, 56), (33, 31), (31, 200),
         (200, 31), (120, 160), (161, 119), (300, 40), (21, 28)]  # fmt: skip
FEW = 0.01  # of the levels of an image, which may be another by one


def noise(high: int, wide: int) -> np.ndarray:
    draw = np.random.default_rng(high * 1000 + wide)
    return draw.integers(0, 256, (high, wide, 3), np.uint8)


def need_equal(found: np.ndarray, expected: np.ndarray) -> None:
    """Halfway between two levels either may come out; nothing else may differ."""
    assert found.shape == expected.shape and found.dtype == np.uint8
    differences = np.abs(found.astype(int) - expected)
    assert differences.max() <= 1
    assert (differences > 0).mean() <= FEW


@pytest.mark.parametrize("size", ["32", "20x28", "48x16"])
@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
def test_the_module_resizes_as_pillow_does(policy, size) -> None:
    module = ResizeImages(Size.of(size), policy, branch=False)
    for high, wide in SIDES:
        image = noise(high, wide)
        found = module(torch.from_numpy(image)[None])[0].numpy()
        need_equal(found, decode(image, size, resize=policy))


@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
def test_a_graph_resizes_as_pillow_does(policy) -> None:
    size = Size.of("20x28")
    free = {0: "batch", 1: "height", 2: "width"}
    example = torch.zeros((2, 21, 30, 3), dtype=torch.uint8)
    model = to_onnx(ResizeImages(size, policy), example, "images", ["sized"], free)
    session = session_of(model.SerializeToString(), "the resize", 1)
    for high, wide in SIDES:
        images = np.stack([noise(high, wide), 255 - noise(high, wide)])
        (found,) = session.run(None, {"images": images})
        for one, image in zip(found, images, strict=True):
            need_equal(one, decode(image, size, resize=policy))


def test_a_stretch_is_the_resize_of_pillow_alone() -> None:
    image = noise(45, 70)
    module = ResizeImages(Size.of("20x28"), "stretch", branch=False)
    alone = np.asarray(Image.fromarray(image).resize((28, 20), Image.Resampling.BICUBIC))
    need_equal(module(torch.from_numpy(image)[None])[0].numpy(), alone)
