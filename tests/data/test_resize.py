"""The size of the images and what becomes of those that are no square."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.data import Source, decode, load
from hundredfold.errors import UsageError

Photos = Callable[..., Path]


def stripes(width: int, height: int) -> Image.Image:
    """Return an image with a red left edge, a blue right one, and green between."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 1] = 200
    pixels[:, : width // 4] = (200, 0, 0)
    pixels[:, -(width // 4) :] = (0, 0, 200)
    return Image.fromarray(pixels)


def test_a_crop_loses_the_edges_and_a_stretch_keeps_them() -> None:
    image = stripes(80, 40)
    crop, stretch = decode(image, 20), decode(image, 20, resize="stretch")
    assert np.array_equal(crop, decode(image, 20, resize="crop"))
    assert np.abs(crop[10, 2:-2].astype(int) - (0, 200, 0)).max() < 3
    assert stretch[10, 1, 0] > 190 and stretch[10, -2, 2] > 190


@pytest.mark.parametrize(("width", "height"), [(80, 40), (40, 80), (81, 40), (1000, 3)])
def test_a_padded_image_is_whole_and_in_the_middle(width: int, height: int) -> None:
    padded = decode(Image.new("RGB", (width, height), (90, 120, 30)), 20, resize="pad")
    filled = (padded == (90, 120, 30)).all(axis=2)
    wide, high = (max(1, round(20 * side / max(width, height))) for side in (width, height))
    assert filled.any(axis=0).sum() == wide and filled.any(axis=1).sum() == high
    assert (padded[~filled] == 0).all()
    rows = np.flatnonzero(filled.any(axis=1))
    assert abs(rows[0] - (19 - rows[-1])) <= 1


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_a_square_is_the_same_whatever_the_resize(resize) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (33, 33, 3), np.uint8))
    assert np.array_equal(decode(image, 16, resize=resize), decode(image, 16))


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_a_turned_photo_is_upright_whatever_the_resize(resize) -> None:
    upright = stripes(80, 40)
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned: the file has the image turned by 90 degrees
    buffer = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=exif)
    turned = decode(buffer.getvalue(), 20, resize=resize)
    assert np.abs(turned.astype(int) - decode(upright, 20, resize=resize)).max() <= 2


def cut(width: int, height: int, size: tuple[int, int]) -> np.ndarray:
    """Return the crop of stripes as Pillow alone makes it: whole columns or rows are cut first."""
    image = stripes(width, height)
    wanted = size[1] / size[0]
    kept = (round(min(width, height * wanted)), round(min(height, width / wanted)))
    left, top = (width - kept[0]) // 2, (height - kept[1]) // 2
    box = (left, top, left + kept[0], top + kept[1])
    return np.asarray(image.crop(box).resize((size[1], size[0]), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(("width", "height"), [(160, 40), (40, 80), (48, 24), (80, 40)])
@pytest.mark.parametrize("size", [(10, 20), (20, 10)])
def test_a_rectangle_is_cropped_to_its_aspect(width, height, size) -> None:
    cropped = decode(stripes(width, height), size)
    assert cropped.shape == (*size, 3)
    assert np.abs(cropped.astype(int) - cut(width, height, size)).max() <= 60, "at the edges"
    assert np.abs(cropped.astype(int) - cut(width, height, size)).mean() <= 2


@pytest.mark.parametrize(("width", "height"), [(80, 40), (40, 80), (1000, 3), (3, 1000)])
@pytest.mark.parametrize("size", [(10, 20), (24, 8)])
def test_a_rectangle_holds_the_whole_image_with_pad_and_stretch(width, height, size) -> None:
    colour = (90, 120, 30)
    image = Image.new("RGB", (width, height), colour)
    assert (decode(image, size, resize="stretch") == colour).all()
    filled = (decode(image, size, resize="pad") == colour).all(axis=2)
    factor = min(size[0] / height, size[1] / width)
    high, wide = (max(1, round(factor * side)) for side in (height, width))
    assert filled.any(axis=0).sum() == wide and filled.any(axis=1).sum() == high
    assert high == size[0] or wide == size[1]


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_a_turned_photo_is_upright_in_a_rectangle(resize) -> None:
    upright = stripes(80, 30)
    exif = Image.Exif()
    exif[274] = 6
    buffer = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=exif)
    turned = decode(buffer.getvalue(), "12x28", resize=resize)
    assert np.abs(turned.astype(int) - decode(upright, (12, 28), resize=resize)).max() <= 2


def test_a_large_jpeg_in_a_rectangle_is_that_of_its_pixels() -> None:
    image = stripes(1600, 500)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    found = decode(buffer.getvalue(), (20, 64))
    assert np.abs(found.astype(int) - decode(image, (20, 64))).mean() < 3


@pytest.mark.parametrize("store", ["pixels", "jpeg"])
def test_a_rectangle_is_stored_once_and_apart_from_a_square(
    photos: Photos, tmp_path: Path, store: str
) -> None:
    source = Source(folder=photos({"a": 3, "b": 3}, 40), cache=tmp_path / "cache")
    sets = {size: load(f"image_folder(size={size!r}, store={store!r})", source)
            for size in ("12x20", "20x12", 20)}  # fmt: skip
    assert len({dataset.digest for dataset in sets.values()}) == 3
    wide = sets["12x20"].parts["train"]().pixels
    assert wide.shape == (6, 12, 20, 3)
    if store == "pixels":
        file = next((source.folder / "a").iterdir()) if source.folder else Path()
        assert any(np.array_equal(decode(file, "12x20"), image) for image in wide[:])
    again = load(f"image_folder(size=[12, 20], store={store!r})", source)
    assert again.digest == sets["12x20"].digest
    assert np.array_equal(again.parts["train"]().pixels[:], wide[:])


def test_bundled_data_take_rectangles(tmp_path: Path) -> None:
    source = Source(cache=tmp_path / "cache")
    for text in ("digits(size='16x24')", "shapes(size='16x24', classes=3, images=2)"):
        dataset = load(text, source)
        assert tuple(dataset.size) == (16, 24)
        assert dataset.parts["train"]().pixels.shape[1:] == (16, 24, 3)


@pytest.mark.parametrize("size", ["7x64", "64x2000", "100000x2", 5])
@pytest.mark.parametrize("name", ["image_folder", "digits", "shapes"])
def test_sizes_out_of_range_are_refused(photos: Photos, tmp_path: Path, name: str, size) -> None:
    source = Source(folder=photos({"a": 2, "b": 2}, 20), cache=tmp_path / "cache")
    with pytest.raises(UsageError, match="is out of range"):
        load(f"{name}(size={size!r})", source)


def test_transparency_is_white_within_a_padded_image() -> None:
    padded = decode(Image.new("RGBA", (40, 20), (0, 0, 0, 0)), 20, resize="pad")
    assert (padded[10] == 255).all() and (padded[0] == 0).all()


@pytest.mark.parametrize(
    ("side", "size"), [(8, 32), (31, 32), (32, 32), (47, 40), (48, 48), (63, 56), (300, 64)]
)
def test_a_size_follows_the_images(photos: Photos, tmp_path: Path, side: int, size: int) -> None:
    source = Source(folder=photos({"a": 2, "b": 2}, side), cache=tmp_path / "cache")
    dataset = load("image_folder", source)
    assert (dataset.size, dataset.resolved["size"]) == (size, size)
    assert dataset.parts["train"]().pixels.shape[1:] == (size, size, 3)


def test_a_size_is_the_median_of_those_that_can_be_read(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3}, 40)
    Image.new("RGB", (900, 900)).save(root / "a" / "large.png")
    (root / "b" / "0.png").write_bytes(b"no image")
    assert load("image_folder", Source(folder=root, cache=tmp_path / "cache")).size == 40


def test_each_resize_is_decoded_for_itself(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "x" / name).mkdir(parents=True)
        stripes(80, 40).save(tmp_path / "x" / name / "0.png")
    source = Source(folder=tmp_path / "x", cache=tmp_path / "cache")
    for resize in ("crop", "pad", "stretch", "crop"):
        split = load(f"image_folder(size=16, resize={resize!r})", source).parts["train"]()
        assert np.array_equal(split.pixels[0], decode(stripes(80, 40), 16, resize=resize))
    with pytest.raises(UsageError, match="resize"):
        load("image_folder(resize='squash')", source)
