"""A grid of example images in one PNG, to inspect an augmentation before training."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold import files
from hundredfold.data._types import Split

_CELL = 64  # pixels; smaller images are enlarged to at least this
_GAP = 2  # pixels


def examples(split: Split, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return (rows, columns, height, width, 3): a row has images of one class.

    The classes are spread evenly over all classes. A class of few images repeats them.
    """
    labels = split.labels[split.indices]
    present = np.unique(labels)
    chosen = present[np.linspace(0, len(present) - 1, min(rows, len(present))).astype(int)]
    picked = [np.resize(split.indices[labels == label], columns) for label in chosen]
    return np.asarray(split.pixels[np.stack(picked)])


def save_grid(cells: NDArray[np.uint8], file: Path) -> None:
    """Write (rows, columns, height, width, 3) as a PNG, enlarged to whole pixels, on white."""
    scale = max(1, -(-_CELL // cells.shape[2]))
    large = cells.repeat(scale, axis=2).repeat(scale, axis=3)
    padded = np.pad(large, ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
    rows, columns, height, width, _ = padded.shape
    page = padded.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    image = Image.fromarray(np.ascontiguousarray(page[:-_GAP, :-_GAP]))
    files.write(file, lambda stream: image.save(stream, format="PNG"))
