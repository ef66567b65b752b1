"""Decode one image file to uint8 pixels.

- Orientation: the EXIF tag is applied; a damaged tag is ignored, as in browsers.
- 16 bits: grey is scaled (not clipped) to 8 bits, colour keeps its high byte.
- Palette: looked up. Transparency: over white. CMYK: converted. Several frames: the first.
- Size: resized with antialiasing (bicubic). "crop" keeps the largest centred square, "pad" the
  whole image on black, "stretch" the whole image without its aspect.
"""

import io
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hundredfold.data._archives import Member
from hundredfold.data._formats import FORMATS
from hundredfold.errors import DataError

MOST_PIXELS = 50_000_000
MOST_BYTES = 32 * 2**20

_ORIENTATION, _BITS, _PHOTOMETRIC = 274, 258, 262  # TIFF and EXIF tags
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


Picture: TypeAlias = Path | Member | bytes | Image.Image | NDArray[np.uint8]
Resize: TypeAlias = Literal["crop", "pad", "stretch"]


def decode(file: Picture, size: int, name: str = "", resize: Resize = "crop") -> NDArray[np.uint8]:
    """Return an image as (size, size, 3) uint8.

    file: a path, a member of an archive, the bytes of a file, a PIL image, or an array of uint8
          pixels: (height, width, 3) or, grey, (height, width).
    size: height and width of the result in pixels.
    name: the image's name in errors; "" takes the path.
    resize: how an image that is no square becomes one: "crop" its centred square, "pad" it with
          black, "stretch" it.

    Raises DataError for an image that is in none of FORMATS, that has more than MOST_PIXELS
    pixels, or whose file has more than MOST_BYTES bytes.
    """
    name = name or (str(file) if isinstance(file, Path | Member) else "the image")
    try:
        if isinstance(file, np.ndarray):
            return _resized(_from_array(file), size, resize)
        if isinstance(file, Image.Image):
            return _resized(file, size, resize)
        return _decoded(file, size, resize)
    except Exception as error:  # decoders raise anything, SyntaxError and struct.error included
        raise _unreadable(name, error) from None


def whole(file: Path, most: int) -> NDArray[np.uint8]:
    """Return an image uncropped as (height, width, 3) uint8, reduced to `most` pixels a side.

    Raises DataError as `decode` does.
    """
    try:
        with Image.open(io.BytesIO(_bytes(file)), formats=FORMATS) as image:
            _need_few_pixels(image)
            image.draft(None, (2 * most, 2 * most))
            image.load()
            small, turn = _eight_bit(image), _TURNS.get(_orientation(image))
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
    """Return how a data set with these options makes squares of its images."""
    resize: Resize = options.get("resize", "crop")
    return resize


def dimensions(file: Path | Member) -> tuple[int, int]:
    """Return width and height in pixels from the header of an image file, without decoding it."""
    with (
        _opened(file) if isinstance(file, Path) else io.BytesIO(_bytes(file)) as stream,
        Image.open(stream, formats=FORMATS) as image,
    ):
        return image.size


def _bytes(file: Path | Member | bytes) -> bytes:
    if isinstance(file, Member):
        file = file.read(MOST_BYTES + 1)
    if isinstance(file, Path):
        with _opened(file) as stream:
            size = os.fstat(stream.fileno()).st_size
            file = stream.read() if size <= MOST_BYTES else bytes(MOST_BYTES + 1)
    if len(file) > MOST_BYTES:
        raise DataError(f"it takes over {MOST_BYTES >> 20} MB")
    return file


def _opened(file: Path) -> IO[bytes]:
    """Open a regular file; a pipe would make the reader wait for ever."""
    stream = open(file, "rb", buffering=0, opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise DataError("it is not a regular file")
    return stream


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _decoded(file: Path | Member | bytes, size: int, resize: Resize) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(_bytes(file)), formats=FORMATS) as image:
        _need_few_pixels(image)
        image.draft(None, (2 * size, 2 * size))  # a JPEG is decoded at half, quarter ... its size
        image.load()
        return _resized(image, size, resize)


def _resized(image: Image.Image, size: int, resize: Resize) -> NDArray[np.uint8]:
    _need_few_pixels(image)
    square = _SQUARES[resize](_eight_bit(image), size)
    turn = _TURNS.get(_orientation(image))
    square = square.transpose(turn) if turn is not None else square
    return np.asarray(_opaque(square))


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


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return a mode that can be resized: L, RGB or RGBA."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_grey(image))
    if image.has_transparency_data:
        return image.convert("RGBA")
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    """Scale grey of more than 8 bits: 12 or 16 of them, or floats in [0, 1]."""
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    white = 1 if image.mode == "F" else (1 << tags.get(_BITS, (16,))[0]) - 1
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= white <= 65535):
        raise DataError(f"its grey values are {low:g} to {high:g} and white is not defined")
    scaled = (values.astype(np.float32) * np.float32(255 / white)).round().astype(np.uint8)
    return 255 - scaled if tags.get(_PHOTOMETRIC) == 0 else scaled  # 0: white is zero


def _cropped(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    if width == height == size:
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def _padded(image: Image.Image, size: int) -> Image.Image:
    """Return the whole image in the middle of a black square."""
    longest = max(image.size)
    width, height = (max(1, round(side * size / longest)) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    black = Image.new("RGB", (size, size))
    black.paste(_opaque(small), ((size - width) // 2, (size - height) // 2))
    return black


def _stretched(image: Image.Image, size: int) -> Image.Image:
    return image.resize((size, size), Image.Resampling.BICUBIC)


_SQUARES = {"crop": _cropped, "pad": _padded, "stretch": _stretched}


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # the pixels may be intact where the EXIF block is damaged
        return 1


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(
        f"cannot read {name}: {_reason(error)}",
        remedy="remove the file, or save it again as PNG or JPEG",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"it is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image"
    if isinstance(error, FileNotFoundError | PermissionError):
        return str(error.strerror).lower()
    return str(error) or type(error).__name__
