"""Pictures to predict: files, folders, PIL images and arrays."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold.api.options import File, home
from hundredfold.prediction import Item

Picture: TypeAlias = File | NDArray[np.uint8] | Image.Image


def listed(pictures: Picture | Iterable[Picture]) -> list[Item]:
    """Return one or several pictures as a list; an array (n, height, width, 3) is n of them."""
    if isinstance(pictures, str | os.PathLike | Image.Image):
        return [_picture(pictures)]
    if isinstance(pictures, np.ndarray) and pictures.ndim < 4:
        return [pictures]
    return [_picture(picture) for picture in pictures]


def _picture(picture: Picture) -> Item:
    return Path(home(picture)) if isinstance(picture, str | os.PathLike) else picture
