"""Pictures in a page: images as data URIs."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold import data
from hundredfold.errors import DataError
from hundredfold.reports.html import Markup, tag

LARGEST = 256  # pixels; larger images are reduced, so that a page stays small
_SMALL = 64  # pixels up to which an image is shown pixel by pixel, without loss
_QUALITY = 85  # of JPEG
_HEATED = 160  # pixels of the longer side of a map, at least
_DARK, _WARMTH, _WARM = 0.62, 0.42, (255, 120, 0)  # as on the page of exporters.html


def picture(pixels: NDArray[np.uint8], alternative: str, most: int = LARGEST) -> Markup:
    """Return an <img> of an image (height, width, 3); small ones are enlarged pixel by pixel.

    alternative: the text for readers who do not see the image. most: pixels a side.
    """
    kind = "pixels" if max(pixels.shape[:2]) <= _SMALL else None
    source = {"src": data_uri(pixels, most), "alt": alternative}
    return tag("img", source | {"class": kind, "loading": "lazy"})


def data_uri(pixels: NDArray[np.uint8], most: int = LARGEST) -> str:
    """Return an image (height, width, 3) as a data URI, reduced to `most` pixels a side.

    Small images are PNG, larger ones JPEG.
    """
    image, buffer = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    image.thumbnail((most, most))
    small = max(image.size) <= _SMALL
    if small:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.save(buffer, "JPEG", quality=_QUALITY)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def heat(pixels: NDArray[np.uint8], falls: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return an image that is dark where nothing mattered, and warm where most did.

    pixels: (height, width, 3). falls: (rows, columns), what covering a place takes away.
    """
    shown = Image.fromarray(np.ascontiguousarray(pixels))
    factor = -(-_HEATED // max(shown.size))  # so large that the map is smooth
    shown = shown.resize((factor * shown.width, factor * shown.height), Image.Resampling.NEAREST)
    most = float(falls.max())
    share = (falls / most).clip(0, 1) if most > 0 else np.zeros_like(falls)
    small = Image.fromarray(share.astype(np.float32))
    smooth = np.asarray(small.resize(shown.size, Image.Resampling.BILINEAR))[..., None]
    dark = np.asarray(shown) * (1 - _DARK * (1 - smooth) ** 1.5)
    warmth = _WARMTH * smooth**2
    return np.asarray((dark * (1 - warmth) + warmth * np.array(_WARM)).round(), np.uint8)


def from_file(folder: Path | None, name: str) -> NDArray[np.uint8] | None:
    """Return the pixels of a file of a data folder at its own quality; None where it has none."""
    file = (folder or Path()) / name
    if folder is None or not file.is_file():
        return None
    try:
        return data.whole(file, LARGEST)
    except DataError:
        return None
