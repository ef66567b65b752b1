"""Read many images in parallel threads, block by block in their order."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

from hundredfold.data._image import Resize, decode
from hundredfold.data._walk import Entry
from hundredfold.errors import DataError
from hundredfold.machine import cores
from hundredfold.progress_bar import progress
from hundredfold.size import Size, SizeLike

_BLOCK = 256  # images
_BLOCK_PIXELS = 10_000_000  # of all its images
_SHOWN = 1000  # images from which progress is shown
_MOST_THREADS = 8
_AHEAD = 2  # blocks that are read while one is written
_TASK = 8  # images that a thread reads in one go

T = TypeVar("T")


def threads() -> int:
    """Return the number of threads that decode."""
    return min(_MOST_THREADS, cores())


def image(
    file: Entry, size: SizeLike, name: str, resize: Resize = "crop"
) -> NDArray[np.uint8] | str:
    """Return the pixels of a file, or the reason why there are none."""
    try:
        return decode(file, size, name, resize)
    except DataError as error:
        return error.message.removeprefix(f"cannot read {name}: ")


def blocks(
    count: int, read: Callable[[int], T | str], size: SizeLike, bad: dict[int, str], text: str
) -> Iterator[list[T]]:
    """Yield the images of rows 0 to `count`, in blocks, without those that cannot be read.

    read: row -> image in any form, or the reason why there is none; called in parallel threads,
    which are blocks ahead. size: of the images in pixels. bad: gets the reasons by row. text: of
    the progress, shown for many images.
    """
    length = max(_TASK, min(_BLOCK, _BLOCK_PIXELS // Size.of(size).area))
    with (
        catch_warnings(),
        ThreadPoolExecutor(threads()) as pool,
        progress(text if count >= _SHOWN else "", count, count=True) as advance,
    ):
        simplefilter("ignore")  # odd metadata; `decode` itself refuses too many pixels
        rows = [range(start, min(start + length, count)) for start in range(0, count, length)]
        submitted = deque(_submit(pool, read, block) for block in rows[:_AHEAD])
        try:
            for number, block in enumerate(rows):
                submitted.extend(_submit(pool, read, b) for b in rows[number + _AHEAD :][:1])
                results = submitted.popleft()
                if images := list(_good(block, results, bad)):
                    yield images
                advance(len(block))
        finally:
            for future in (future for futures in submitted for future in futures):
                future.cancel()


def _submit(
    pool: ThreadPoolExecutor, read: Callable[[int], T | str], rows: range
) -> list[Future[list[T | str]]]:
    """Start to read rows, a few in each task."""
    tasks = [rows[start : start + _TASK] for start in range(0, len(rows), _TASK)]
    return [pool.submit(lambda part: [read(row) for row in part], task) for task in tasks]


def _good(rows: range, futures: list[Future[list[T | str]]], bad: dict[int, str]) -> Iterator[T]:
    results = (result for future in futures for result in future.result())
    for row, result in zip(rows, results, strict=True):
        if isinstance(result, str):
            bad[row] = result
        else:
            yield result
