"""Pixels are right: known pictures in every format and mode, and damaged ones."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from hundredfold.data import _opening, decode
from hundredfold.errors import DataError

SIZE = 16


def file_of(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=form, **options)
    return stream.getvalue()


@pytest.fixture
def picture(rng: np.random.Generator) -> Image.Image:
    """Return colours of a smooth kind that survive JPEG, different in every corner."""
    return Image.fromarray(rng.integers(0, 256, (2, 2, 3), np.uint8)).resize(
        (SIZE, SIZE), Image.Resampling.BILINEAR
    )


@pytest.mark.parametrize(
    ("form", "options", "near"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 12),
        ("JPEG", {"quality": 98}, 12),
        ("JPEG", {"quality": 98, "progressive": True}, 12),
    ],
)
def test_every_format_gives_its_pixels(
    picture: Image.Image, form: str, options: dict[str, object], near: int
) -> None:
    found = decode(file_of(picture, form, **options), SIZE)
    assert found.dtype == np.uint8 and found.shape == (SIZE, SIZE, 3)
    assert np.abs(found.astype(int) - np.asarray(picture)).max() <= near


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_what_pillow_says(picture: Image.Image, form: str, orientation: int) -> None:
    wide = picture.resize((2 * SIZE, SIZE))
    exif = Image.Exif()
    exif[274] = orientation
    data = file_of(wide, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    left, top = (turned.width - SIZE) // 2, (turned.height - SIZE) // 2
    expected = np.asarray(turned.crop((left, top, left + SIZE, top + SIZE)))
    assert np.abs(decode(data, SIZE).astype(int) - expected).max() <= 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_is_ignored(picture: Image.Image) -> None:
    data = file_of(picture, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    assert decode(data, SIZE).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_are_scaled(form: str) -> None:
    grey = np.linspace(0, 65535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    found = decode(file_of(Image.fromarray(grey), form), SIZE)
    assert np.array_equal(found[..., 0], (grey / 257).round())
    assert np.array_equal(found[..., 0], found[..., 2])


def test_sixteen_bits_with_zero_for_white_are_inverted() -> None:
    grey = np.linspace(0, 65535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    data = file_of(Image.fromarray(grey), "TIFF", tiffinfo={262: 0})
    assert np.array_equal(decode(data, SIZE)[..., 0], 255 - (grey / 257).round())


def test_sixteen_bits_of_colour_keep_their_high_byte() -> None:
    """A PNG of 16-bit RGB, written by hand since Pillow writes none."""
    import zlib

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    colour = np.random.default_rng(0).integers(0, 65536, (SIZE, SIZE, 3)).astype(">u2")
    lines = b"".join(b"\0" + row.tobytes() for row in colour)
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    assert np.abs(decode(data, SIZE).astype(int) - colour / 257).max() <= 1


def test_floats_are_taken_from_zero_to_one_only() -> None:
    grey = np.linspace(0, 1, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    found = decode(file_of(Image.fromarray(grey), "TIFF"), SIZE)
    assert np.array_equal(found[..., 1], (grey * 255).round())
    with pytest.raises(DataError, match="white is not defined"):
        decode(file_of(Image.fromarray(grey * 1000), "TIFF"), SIZE)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_modes_without_alpha_are_converted(picture: Image.Image, mode: str) -> None:
    image = picture.convert(mode)
    form = {"CMYK": "TIFF"}.get(mode, "PNG")
    assert np.array_equal(decode(file_of(image, form), SIZE), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_cyan_ink_is_cyan(form: str) -> None:
    image = Image.new("CMYK", (SIZE, SIZE), (255, 0, 0, 0))
    found = decode(file_of(image, form), SIZE).reshape(-1, 3).astype(int)
    assert np.abs(found - (0, 255, 255)).max() <= 3


def test_transparent_is_white_in_every_mode() -> None:
    clear = Image.new("RGBA", (SIZE, SIZE), (200, 0, 0, 0))
    half = Image.new("RGBA", (SIZE, SIZE), (200, 0, 0, 127))
    assert (decode(file_of(clear, "PNG"), SIZE) == 255).all()
    assert np.abs(decode(file_of(half, "PNG"), SIZE)[0, 0].astype(int) - (228, 128, 128)).max() <= 1
    grey = Image.new("LA", (SIZE, SIZE), (0, 0))
    assert (decode(file_of(grey, "PNG"), SIZE) == 255).all()
    palette = Image.new("P", (SIZE, SIZE), 3)
    palette.putpalette([9] * 768)
    assert (decode(file_of(palette, "PNG", transparency=3), SIZE) == 255).all()
    assert (decode(file_of(palette, "GIF", transparency=3), SIZE) == 255).all()
    keyed = Image.new("RGB", (SIZE, SIZE), (1, 2, 3))
    assert (decode(file_of(keyed, "PNG", transparency=(1, 2, 3)), SIZE) == 255).all()


def test_hidden_colours_do_not_bleed_when_resized() -> None:
    image = Image.new("RGBA", (4 * SIZE, 4 * SIZE), (0, 255, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 2 * SIZE, 4 * SIZE))
    found = decode(file_of(image, "PNG"), SIZE)
    assert (found[..., 0] >= found[..., 1].astype(int) - 1).all()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_frame_is_taken(form: str) -> None:
    frames = [Image.new("RGB", (SIZE, SIZE), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if form == "WEBP" else {}
    data = file_of(frames[0], form, save_all=True, append_images=frames[1:], **options)
    assert (decode(data, SIZE) == (255, 0, 0)).all()


def test_the_largest_centred_square_is_taken() -> None:
    image = Image.new("RGB", (5 * SIZE, SIZE), "red")
    image.paste("lime", (2 * SIZE, 0, 3 * SIZE, SIZE))
    for turned in (image, image.transpose(Image.Transpose.ROTATE_90)):
        assert (decode(file_of(turned, "PNG"), SIZE) == (0, 255, 0)).all()


def test_fine_patterns_become_grey_and_no_moire() -> None:
    fine = np.indices((256, 256)).sum(0) % 2 * 255
    data = file_of(Image.fromarray(fine.astype(np.uint8)), "PNG")
    assert np.abs(decode(data, SIZE).astype(int) - 127).max() <= 2


def test_a_large_jpeg_read_at_a_fraction_is_the_same_picture(picture: Image.Image) -> None:
    large = picture.resize((640, 640), Image.Resampling.BICUBIC)
    expected = np.asarray(large.resize((SIZE, SIZE), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(decode(file_of(large, "JPEG", quality=95), SIZE) - expected).max() <= 6


def test_limits_are_kept(picture: Image.Image, tmp_path: Path) -> None:
    bomb = file_of(Image.new("1", (10_000, 5_001)), "PNG")
    with pytest.raises(DataError, match="10000 x 5001 pixels, over 50 million"):
        decode(bomb, SIZE)
    with pytest.raises(DataError, match="cannot read"):
        decode(file_of(Image.new("1", (20_000, 10_000)), "PNG"), SIZE)
    large = tmp_path / "large.png"
    large.write_bytes(file_of(picture, "PNG"))
    with large.open("r+b") as stream:
        stream.truncate(_opening.MOST_BYTES + 1)
    with pytest.raises(DataError, match=r"large\.png: it takes over 32 MB"):
        decode(large, SIZE)


@pytest.mark.parametrize("filters", ["error", "ignore"])
def test_a_decompression_bomb_is_an_error_whatever_the_warnings(filters: str) -> None:
    bomb = file_of(Image.new("1", (9_500, 9_500)), "PNG")  # Pillow only warns
    with warnings.catch_warnings():
        warnings.simplefilter(filters)
        with pytest.raises(DataError, match=r"cannot read .*9500|cannot read .*exceeds"):
            decode(bomb, SIZE)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_reported_and_not_used(form: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = file_of(Image.fromarray(noise), form)
    with pytest.raises(DataError, match="cannot read photo"):
        decode(whole[: int(len(whole) * share)], SIZE, "photo")


@pytest.mark.parametrize("form", ["PPM", "ICO", "PCX", "TGA"])
def test_other_formats_are_refused(picture: Image.Image, form: str) -> None:
    with pytest.raises(DataError, match="not a JPEG"):
        decode(file_of(picture, form), SIZE)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"GIF89a", b"<svg/>", b"BM" + bytes(60)])
def test_what_is_no_image_is_one_sentence(data: bytes) -> None:
    with pytest.raises(DataError, match=r"cannot read x\.jpg") as caught:
        decode(data, SIZE, "x.jpg")
    assert caught.value.remedy


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_damaged_files_give_pixels_or_one_sentence(
    picture: Image.Image, rng: np.random.Generator, form: str
) -> None:
    whole = file_of(picture, form)
    for _ in range(150):
        data = bytearray(whole[: rng.integers(1, len(whole) + 1)] if rng.random() < 0.4 else whole)
        for place in rng.integers(0, len(data), rng.integers(0, 6)):
            data[place] = rng.integers(256)
        try:
            assert decode(bytes(data), SIZE).shape == (SIZE, SIZE, 3)
        except DataError as error:
            assert "\n" not in error.message


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_grey_of_few_bits_is_white(bits: int) -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + crc

    head = struct.pack(">IIBBBBB", 8, 8, bits, 0, 0, 0, 0)
    dark, bright = bytes(bits), bytes([255]) * bits
    rows = b"".join(b"\0" + (dark if row < 4 else bright) for row in range(8))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    for clear, wanted in ((0, 255), ((1 << bits) - 1, 0)):
        tail = chunk(b"tRNS", struct.pack(">H", clear)) + chunk(b"IDAT", zlib.compress(rows))
        pixels = decode(data + tail + chunk(b"IEND", b""), 8)
        assert (pixels[1].min(), pixels[-2].min()) == (wanted, 255)


def test_a_name_of_several_lines_is_told_in_one() -> None:
    with pytest.raises(DataError, match=r"cannot read a\\u000aerror: all is lost: "):
        decode(b"no image", 8, "a\nerror: all is lost")
