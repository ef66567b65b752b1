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


def from_file(folder: Path | None, name: str) -> NDArray[np.uint8] | None:
    """Return the pixels of a file of a data folder at its own quality; None where it has none."""
    file = (folder or Path()) / name
    if folder is None or not file.is_file():
        return None
    try:
        return data.whole(file, LARGEST)
    except DataError:
        return None
