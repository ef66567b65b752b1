"""Properties of an image that a network should not need: size, aspect, brightness, file."""

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hundredfold.data._walk import Entry, size_and_times

Measures: TypeAlias = Mapping[str, float | str]

_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def measures(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Return brightness, contrast and sharpness of an image (height, width, 3).

    Brightness is the mean, contrast the standard deviation, both in [0, 255]. Sharpness is the
    mean difference of neighbouring pixels as a fraction of the contrast.
    """
    grey = pixels @ _BRIGHTNESS
    contrast = float(grey.std())
    steps = sum(np.abs(np.diff(grey, axis=axis)).sum() for axis in (0, 1)) / grey.size
    return {
        "brightness": float(grey.mean()),
        "contrast": contrast,
        "sharpness": float(steps) / 2 / max(contrast, 1.0),
    }


def file_measures(file: Entry, shape: tuple[int, int]) -> dict[str, float | str]:
    """Return pixels, aspect, bytes and type of an image file; shape: (width, height)."""
    width, height = shape
    return {
        "pixels": float(width * height),
        "aspect": round(math.log2(width / height), 3),
        "bytes": float(size_and_times(file)[0]),
        "file type": {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tif": ".tiff"}.get(
            file.suffix.lower(), file.suffix.lower()
        ),
    }
