"""Moves against Pillow's own resampling and plain NumPy slicing."""

import numpy as np
import pytest
import torch
from PIL import Image

from hundredfold.augment import pipeline
from hundredfold.augment._geometry import Move, compose, move_images
from hundredfold.augment.flip import flip
from hundredfold.augment.pad_crop import pad_crop
from hundredfold.augment.rotate import rotate
from hundredfold.augment.shift import shift
from hundredfold.augment.zoom import zoom
from hundredfold.errors import UsageError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photographs(count: int = 16, size: int = 32) -> torch.Tensor:
    """Smooth colourful images, so that half a pixel makes a small difference."""
    numpy_generator = np.random.default_rng(3)
    small = numpy_generator.integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    large = [np.asarray(Image.fromarray(s).resize((size, size), 3)) for s in small]
    return torch.from_numpy(np.stack(large)).permute(0, 3, 1, 2)


def pillow(image: torch.Tensor, matrix: torch.Tensor, border: str) -> np.ndarray:
    """Transform with Pillow on an image that was padded three times its size by NumPy."""
    size = image.shape[-1]
    modes = {"reflect": "symmetric", "zero": "constant"}
    pixels = image.permute(1, 2, 0).numpy()
    padded = np.pad(pixels, ((size, size), (size, size), (0, 0)), mode=modes[border])
    linear, offset = matrix[:, :2].double().numpy(), matrix[:, 2].double().numpy() * size / 2
    middle = size / 2
    start = offset + middle + size - linear @ [middle, middle]
    coefficients = (*linear[0], start[0], *linear[1], start[1])
    canvas = Image.fromarray(padded)
    moved = canvas.transform((size, size), Image.Transform.AFFINE, coefficients, 2)
    return np.asarray(moved)


@pytest.mark.parametrize("border", ["reflect", "zero"])
@pytest.mark.parametrize("size", [16, 32])
def test_a_chain_of_moves_agrees_with_pillow(border, size):
    images = photographs(size=size)
    move = shift(16, generator(1), horizontal=0.2, vertical=0.2, fill=border)
    for other in (
        zoom(16, generator(2), low=0.8, high=1.25, fill=border),
        rotate(16, 8, generator(3), degrees=30.0, fill=border),
        flip(16, generator(4)),
    ):
        move = compose(move, other)
    moved = move_images(images, move)
    for image, matrix, result in zip(images, move.matrix, moved, strict=True):
        expected = pillow(image, matrix, border)
        difference = np.abs(expected.astype(int) - result.permute(1, 2, 0).numpy())
        assert difference.max() <= 2


@pytest.mark.parametrize("degrees", [90.0, -90.0])
def test_a_rotated_rectangle_keeps_the_shapes_in_it(degrees):
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(60.0), indexing="ij")
    bar = ((rows - 11.5).abs() < 3) & ((columns - 29.5).abs() < 8)
    images = (bar * 255).to(torch.uint8).expand(1, 3, 24, 60)
    images = images.contiguous(memory_format=torch.channels_last)
    angle = torch.tensor([degrees]) * torch.pi / 180
    sine, cosine = angle.sin(), angle.cos()
    drawn = rotate(200, (24, 60), generator(), degrees=90.0).matrix
    turned = drawn[drawn[:, 1, 0].mul(degrees).argmax()][None]
    expected = torch.stack([cosine, -sine * 0.4, sine * 0, sine / 0.4, cosine, sine * 0], 1)
    assert (turned.view(1, 6) - expected).abs().max() < 0.1
    moved = move_images(images, Move(expected.view(1, 2, 3), "zero"))[0, 0] > 127
    upright = ((rows - 11.5).abs() < 8) & ((columns - 29.5).abs() < 3)
    assert torch.equal(moved, upright)


def test_whole_moves_of_a_rectangle_are_shifts_by_pixels():
    images = photographs(2, size=32)[:, :, :20]
    moved = move_images(images, pad_crop(2, (20, 32), generator(5), pixels=3))
    height, width = images.shape[2:]
    for before, after in zip(images, moved, strict=True):
        padded = torch.zeros((3, height + 6, width + 6), dtype=torch.uint8)
        padded[:, 3:-3, 3:-3] = before
        crops = [padded[:, y : y + height, x : x + width] for y in range(7) for x in range(7)]
        assert any(torch.equal(after, crop) for crop in crops)
    mirrored = move_images(images, flip(2, generator(), probability=1.0))
    assert torch.equal(mirrored, images.flip(3))


def test_moves_are_applied_in_written_order():
    first = shift(1, generator(0), horizontal=0.4, vertical=0.4, fill="zero")
    second = rotate(1, 8, generator(1), degrees=180.0, fill="zero")
    image = photographs(1)
    middle = image.clone()
    middle[:] = 0
    middle[..., 12:20, 12:20] = image[..., 12:20, 12:20]
    one_by_one = move_images(move_images(middle, first), second).int()
    composed = move_images(middle, compose(first, second)).int()
    wrong = move_images(middle, compose(second, first)).int()
    assert (one_by_one - composed).abs().float().mean() < 3
    assert (one_by_one - wrong).abs().float().mean() > 3


def test_a_flip_mirrors_columns_exactly():
    images = photographs()
    moved, _ = pipeline("flip(probability=1.0)")(images, torch.eye(16), generator())
    assert torch.equal(moved, images.flip(-1))


def test_about_half_of_the_images_are_flipped():
    images = photographs(1).expand(2000, -1, -1, -1)
    moved, _ = pipeline("flip")(images, torch.zeros(2000, 2), generator())
    flipped = (moved != images).flatten(1).any(1).double().mean()
    assert 0.45 < flipped < 0.55


@pytest.mark.parametrize(("mode", "numpy_mode"), [("zero", "constant"), ("reflect", "symmetric")])
def test_pad_crop_makes_each_crop_of_the_padded_image(mode, numpy_mode):
    image = photographs(1, 16)
    pixels = image[0].permute(1, 2, 0).numpy()
    padded = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), mode=numpy_mode)
    crops = {padded[y : y + 16, x : x + 16].tobytes() for y in range(5) for x in range(5)}
    chain = pipeline(f"pad_crop(pixels=2, mode={mode!r})")
    moved, _ = chain(image.expand(600, -1, -1, -1), torch.zeros(600, 2), generator())
    assert {m.permute(1, 2, 0).contiguous().numpy().tobytes() for m in moved} == crops


def test_pad_crop_and_flip_together_are_pad_crop_then_flip():
    images, labels = photographs(), torch.eye(16)
    composed, _ = pipeline("pad_crop | flip")(images, labels, generator(5))
    same = generator(5)
    cropped, _ = pipeline("pad_crop")(images, labels, same)
    flipped, _ = pipeline("flip")(cropped, labels, same)
    assert torch.equal(composed, flipped)


def test_a_crop_far_outside_is_black_or_a_mirror_image():
    images = photographs(8, 8)
    offset = torch.tensor([[[1.0, 0, 2 / 8 * 16], [0, 1.0, 0]]]).expand(8, -1, -1)
    assert move_images(images, Move(offset, "zero", whole=True)).max() == 0
    assert torch.equal(move_images(images, Move(offset, "reflect", whole=True)), images)


def test_moves_with_different_fills_are_not_composed():
    zero, reflect = pad_crop(2, 8, generator()), rotate(2, 8, generator())
    assert compose(zero, reflect) is None
    assert compose(zero, flip(2, generator())).fill == "zero"


def test_shifts_stay_within_their_fraction_and_use_all_of_it():
    move = shift(4000, generator(), horizontal=0.1, vertical=0.25)
    across, down = (move.matrix[:, :, 2] / 2).unbind(1)
    assert 0.09 < across.abs().max() <= 0.1
    assert 0.24 < down.abs().max() <= 0.25
    assert across.mean().abs() < 0.005


def test_zoom_enlarges_by_the_factor():
    image = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    image[..., 12:20, 12:20] = 255
    chain = pipeline("zoom(low=2.0, high=2.0)")
    moved, _ = chain(image, torch.ones(1, 1), generator())
    assert moved[0, 0, 16].gt(127).sum() == 16


def test_a_rotation_by_180_degrees_reverses_rows_and_columns():
    half = torch.tensor([[[-1.0, 0, 0], [0, -1.0, 0]]])
    image = photographs(1)
    turned = move_images(image, Move(half)).int()
    assert (turned - image.flip(-1, -2).int()).abs().max() <= 1


def test_rotations_stay_within_their_degrees():
    matrix = rotate(4000, 8, generator(), degrees=15.0).matrix
    degrees = torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]).rad2deg()
    assert 14.8 < degrees.abs().max() <= 15.001
    assert degrees.mean().abs() < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "flip(probability=1.5)",
        "shift(horizontal=-0.1)",
        "shift(vertical=2.0)",
        "zoom(low=0.0)",
        "zoom(low=1.2, high=1.1)",
        "rotate(degrees=400.0)",
        "pad_crop(pixels=-1)",
        "pad_crop(mode='wrap')",
        "flipp",
        "flip(chance=0.5)",
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(text):
    with pytest.raises(UsageError):
        pipeline(text)


def test_the_remedy_is_the_nearest_valid_value():
    with pytest.raises(UsageError) as caught:
        pipeline("rotate(degrees=400.0)")
    assert str(caught.value.message) == "rotate(degrees=400.0) is out of range"
    assert caught.value.remedy == "rotate(degrees=180)"
    pipeline(caught.value.remedy)
