"""Decode many files in parallel threads, block by block in their order."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

from hundredfold.data._image import decode
from hundredfold.errors import DataError
from hundredfold.machine import cores
from hundredfold.progress_bar import progress

BLOCK = 256  # images
_SHOWN = 1000  # images from which progress is shown
_MOST_THREADS = 8


def threads() -> int:
    """Return the number of threads that decode."""
    return min(_MOST_THREADS, cores())


def blocks(
    files: Sequence[Path], names: Sequence[str], size: int, bad: dict[int, str], text: str
) -> Iterator[NDArray[np.uint8]]:
    """Yield blocks of decoded images (b, size, size, 3), without those that cannot be read.

    names: of the files, in errors. bad: gets the row and the reason of each unreadable file.
    text: of the progress, which is shown for many images.
    """
    with (
        catch_warnings(),
        ThreadPoolExecutor(threads()) as pool,
        progress(text if len(files) >= _SHOWN else "", len(files), count=True) as advance,
    ):
        simplefilter("ignore")  # odd metadata; `decode` itself refuses too many pixels
        for start in range(0, len(files), BLOCK):
            rows = range(start, min(start + BLOCK, len(files)))
            decoded = pool.map(lambda row: image(files[row], size, names[row]), rows)
            images = []
            for row, pixels in zip(rows, decoded, strict=True):
                if isinstance(pixels, str):
                    bad[row] = pixels
                else:
                    images.append(pixels)
            if images:
                yield np.stack(images)
            advance(len(rows))


def image(file: Path, size: int, name: str) -> NDArray[np.uint8] | str:
    """Return the pixels of a file, or the reason why there are none."""
    try:
        return decode(file, size, name)
    except DataError as error:
        return error.message.removeprefix(f"cannot read {name}: ")
