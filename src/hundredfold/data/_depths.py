"""Convert images of any depth to 8 bits a sample."""

import numpy as np
from PIL import Image

from hundredfold.errors import DataError

_BITS, _PHOTOMETRIC, _PLANAR = 258, 262, 284  # tags of TIFF


def eight_bit(image: Image.Image, data: bytes = b"") -> Image.Image:
    """Return a mode that can be resized: L, RGB or RGBA. data: the bytes of its file, if any."""
    if image.mode.startswith(("I", "F")):
        return _grey(image, data)
    _scale_clear_grey(image, data)
    if image.has_transparency_data:
        return image.convert("RGBA")
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _scale_clear_grey(image: Image.Image, data: bytes) -> None:
    """Scale the transparent grey of a PNG of 2 or 4 bits as Pillow scales its pixels."""
    clear, bits = image.info.get("transparency"), data[24] if data.startswith(b"\x89PNG") else 8
    if image.mode == "L" and isinstance(clear, int) and bits in (2, 4) and clear < 1 << bits:
        image.info["transparency"] = clear * 255 // ((1 << bits) - 1)


def _grey(image: Image.Image, data: bytes) -> Image.Image:
    """Scale grey of more than 8 bits: 9 to 16 of them, or floats in [0, 1]."""
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    low, high = values.min(), values.max()
    bits = tags.get(_BITS, (0,))[0] or significant_bits(data, int(high) if high <= 65535 else 0)
    white = 1 if image.mode == "F" else (1 << bits) - 1
    if not (low >= 0 and high <= white <= 65535):
        raise DataError(f"its grey values are {low:g} to {high:g} and white is not defined")
    scaled = (values.astype(np.float32) * np.float32(255 / white)).round().astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero
        scaled = 255 - scaled
    grey = Image.fromarray(scaled)
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return grey
    alpha = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha)).convert("RGBA")


def significant_bits(data: bytes, high: int) -> int:
    """Return how many bits of 16 the grey of a PNG has, where its sBIT and values agree on fewer.

    By the standard fewer bits are shifted up; many programs only say how many there are.
    """
    at = data.find(b"\0\0\0\1sBIT", 0, 64 * 2**10) if data.startswith(b"\x89PNG") else -1
    bits = data[at + 8] if 0 <= at < len(data) - 8 else 16
    return bits if 8 <= bits < 16 and high >> bits == 0 else 16


def need_known_planes(image: Image.Image) -> None:
    """Raise DataError for a TIFF that Pillow reads with wrong colours."""
    tags = getattr(image, "tag_v2", {})
    deep = len(tags.get(_BITS, ())) > 1 and max(tags[_BITS]) > 8
    tiles = getattr(image, "tile", None)
    if tags.get(_PLANAR) == 2 and deep and tiles and tiles[0][0] == "raw":
        raise DataError("it is a TIFF of 16-bit colours in separate planes, uncompressed")
