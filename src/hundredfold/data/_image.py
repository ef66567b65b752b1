"""Decode one image file to uint8 pixels.

- Orientation: the EXIF tag is applied; a damaged tag is ignored, as in browsers.
- 16 bits: grey is scaled (not clipped) to 8 bits, colour keeps its high byte.
- Palette: looked up. Transparency: over white. CMYK: converted. Several frames: the first.
- Size: resized with antialiasing (bicubic). "crop" keeps the largest centred part of
  the wanted aspect, "pad" the whole image on black, "stretch" the whole image without its aspect.
"""

import errno
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hundredfold.data import _bounds
from hundredfold.data._archives import Member
from hundredfold.data._depths import eight_bit, need_known_planes, significant_bits
from hundredfold.data._formats import FORMATS, register
from hundredfold.data._opening import read_bytes
from hundredfold.errors import DataError
from hundredfold.size import Size, SizeLike
from hundredfold.wording import one_line

MOST_PIXELS = 50_000_000
_EXIF = 16 * 2**10  # bytes of an EXIF block from which its tags are checked
_HEAD = 256 * 2**10  # bytes that most headers lie in

_ORIENTATION = 274  # a tag of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS = [_TURNS[tag] for tag in (5, 6, 7, 8)]  # height and width


Picture: TypeAlias = Path | Member | bytes | Image.Image | NDArray[np.uint8]
Resize: TypeAlias = Literal["crop", "pad", "stretch"]


def decode(
    file: Picture, size: SizeLike, name: str = "", resize: Resize = "crop", *, full: bool = False
) -> NDArray[np.uint8]:
    """Return an image as (height, width, 3) uint8.

    file: a path, a member of an archive, the bytes of a file, a PIL image, or an array of uint8
          pixels: (height, width, 3) or, grey, (height, width).
    size: of the result in pixels, a number for a square; see `Size.of`.
    name: the image's name in errors; "" takes the path.
    resize: what becomes of an image of another aspect: "crop" the largest centred part of the
          wanted one, "pad" the whole with black, "stretch" it.
    full: decode every pixel before the resize. Else a large JPEG is decoded at a half, a quarter or
          an eighth of its size, at least twice the wanted one: faster, and not quite the same.

    Raises DataError for an image that is in none of FORMATS, that has more than MOST_PIXELS
    pixels, or whose file has more than MOST_BYTES bytes.
    """
    size = Size.of(size)
    name = name or (str(file) if isinstance(file, Path | Member) else "the image")
    try:
        if isinstance(file, np.ndarray):
            return _resized(_from_array(file), size, resize)
        if isinstance(file, Image.Image):
            return _resized(file, size, resize)
        return _decoded(file, size, resize, full)
    except Exception as error:  # decoders raise anything, SyntaxError and struct.error included
        raise _unreadable(name, error) from None


def whole(file: Path, most: int) -> NDArray[np.uint8]:
    """Return an image uncropped as (height, width, 3) uint8, reduced to `most` pixels a side.

    Raises DataError as `decode` does.
    """
    try:
        data = read_bytes(file)
        _bounds.need_little(data)
        with _pillow(io.BytesIO(data)) as image:
            _need_few_pixels(image)
            _bounds.need_few_scans(data, _pixels(image))
            image.draft(None, (2 * most, 2 * most))
            need_known_planes(image)
            image.load()
            small, turn = eight_bit(image, data), _TURNS.get(_orientation(image))
        small.thumbnail((most, most))
        return np.asarray(_opaque(small.transpose(turn) if turn is not None else small))
    except Exception as error:  # as in `decode`
        raise _unreadable(str(file), error) from None


@contextmanager
def quietly() -> Iterator[None]:
    """Ignore warnings of Pillow in a block of decoding: they name no file."""
    with catch_warnings():
        simplefilter("ignore")
        yield


def resize_of(options: Mapping[str, Any]) -> Resize:
    """Return how a data set with these options resizes its images."""
    resize: Resize = options.get("resize", "crop")
    return resize


def dimensions(file: Path | Member) -> tuple[int, int]:
    """Return width and height in pixels from the header of an image file, without decoding it."""
    with _header(file) as image:
        return image.size


def highest_grey(file: Path | Member) -> int | None:
    """Return the highest of the 16-bit grey values of a file; None for any other image."""
    with _header(file) as image:
        if not image.mode.startswith("I") or image.format != "PNG":
            return None
    data = read_bytes(file)
    _bounds.need_little(data)
    with _pillow(io.BytesIO(data)) as image:
        _need_few_pixels(image)
        highest = int(np.asarray(image).max())
    return None if significant_bits(data, highest) < 16 else highest


@contextmanager
def _header(file: Path | Member) -> Iterator[Image.Image]:
    """Open an image to look at its header, from its first bytes where they are enough."""
    data = read_bytes(file, _HEAD)
    try:
        _bounds.need_little(data)
        image = _pillow(io.BytesIO(data))
    except Exception:  # decoders raise anything; a TIFF may have its header at its end
        data = read_bytes(file)
        _bounds.need_little(data)
        image = _pillow(io.BytesIO(data))
    with image:
        yield image


def _decoded(
    file: Path | Member | bytes, size: Size, resize: Resize, full: bool
) -> NDArray[np.uint8]:
    data = read_bytes(file)
    _bounds.need_little(data)
    with _pillow(io.BytesIO(data)) as image:
        _need_few_pixels(image)
        whole = _pixels(image)
        _bounds.need_few_scans(data, whole)
        if not full:
            image.draft(None, (2 * size.most, 2 * size.most))  # a JPEG: half, quarter ...
        need_known_planes(image)
        memory = _memory(image, whole)
        if memory < _bounds.LARGE:
            image.load()
            return _resized(image, size, resize, data)
        with _bounds.room(memory):
            image.load()
            pixels = _resized(image, size, resize, data)
            image.close()  # its memory is free before another image gets room
            return pixels


def _pillow(stream: IO[bytes]) -> Image.Image:
    """Open an image of one of FORMATS; its pixels are not decoded yet."""
    register()
    return Image.open(stream, formats=FORMATS)


def _pixels(image: Image.Image) -> int:
    return image.size[0] * image.size[1]


def _memory(image: Image.Image, whole: int) -> int:
    """Return about how many bytes decoding takes. whole: pixels before a draft made them fewer."""
    plain = image.mode in ("RGB", "L", "1") and image.format not in ("WEBP", "AVIF", "HEIF")
    progressive = 8 * whole if "progression" in image.info else 0
    return _pixels(image) * (4 if plain else 24) + progressive


def _resized(
    image: Image.Image, size: Size, resize: Resize, data: bytes = b""
) -> NDArray[np.uint8]:
    _need_few_pixels(image)
    turn = _TURNS.get(_orientation(image))
    before = Size(size.width, size.height) if turn in _SWAPS else size
    resized = _POLICIES[resize](eight_bit(image, data), before)
    return np.asarray(_opaque(resized.transpose(turn) if turn is not None else resized))


def _need_few_pixels(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise DataError(f"it has {width} x {height} pixels, over {MOST_PIXELS // 10**6} million")


def _from_array(pixels: NDArray[np.uint8]) -> Image.Image:
    shape = " x ".join(map(str, pixels.shape))
    if pixels.dtype != np.uint8:
        raise DataError(f"it is {pixels.dtype}, not uint8")
    if (pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[2] != 3)) or not pixels.size:
        raise DataError(f"it is {shape or 'a number'}, not height x width x 3")
    return Image.fromarray(np.ascontiguousarray(pixels))


def _cropped(image: Image.Image, size: Size) -> Image.Image:
    """Return the largest centred part that has the aspect of the size."""
    width, height = image.size
    if (height, width) == tuple(size):
        return image
    kept_width = min(width, height * size.width / size.height)
    kept_height = min(height, width * size.height / size.width)
    left, top = (width - kept_width) / 2, (height - kept_height) / 2
    box = (left, top, left + kept_width, top + kept_height)
    return image.resize((size.width, size.height), Image.Resampling.BICUBIC, box=box)


def _padded(image: Image.Image, size: Size) -> Image.Image:
    """Return the whole image in the middle of black."""
    width, height = image.size
    if height * size.width >= width * size.height:
        height, width = size.height, max(1, round(width * size.height / height))
    else:
        height, width = max(1, round(height * size.width / width)), size.width
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    black = Image.new("RGB", (size.width, size.height))
    black.paste(_opaque(small), ((size.width - width) // 2, (size.height - height) // 2))
    return black


def _stretched(image: Image.Image, size: Size) -> Image.Image:
    return image.resize((size.width, size.height), Image.Resampling.BICUBIC)


_POLICIES = {"crop": _cropped, "pad": _padded, "stretch": _stretched}


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        for name in ("exif", "Raw profile type exif"):
            _need_sound_exif(image.info.get(name, b""))
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # the pixels may be intact where the EXIF block is damaged
        return 1


def _need_sound_exif(block: bytes | str) -> None:
    """Raise DataError for EXIF whose tags stand for more than it holds; small blocks cannot."""
    if len(block) > _EXIF:
        _bounds.need_few_tags(
            bytes.fromhex("".join(block.split("\n")[3:])) if isinstance(block, str) else block
        )


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(
        f"cannot read {one_line(name)}: {_reason(error)}",
        remedy="remove the file, or save it again as PNG or JPEG",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"it is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "it is a link to itself"
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror).lower()
    return str(error) or type(error).__name__
