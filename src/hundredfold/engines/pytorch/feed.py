"""Shuffled, augmented batches on the device from arrays.

The order of an epoch is a function of (seed, epoch), and the augmentation of a batch one of
(seed, epoch, batch). Each image has a key, a function of (seed, row). So a resumed run sees the
same batches.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain, islice
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hundredfold import data, machine
from hundredfold.data import Packed, Pixels
from hundredfold.errors import UsageError

# images, labels, generator, epoch, keys -> images, labels
Augment = Callable[[Tensor, Tensor, torch.Generator, int, Tensor], tuple[Tensor, Tensor]]

_COPIED = 1000  # images that are copied to a device in one go
_ORDER, _AUGMENT, _KEYS = 0, 1, 3  # independent random streams; 2 is that of the recipe's limit


class Batch(NamedTuple):
    """Images uint8 (batch, 3, height, width) channels-last; labels float32 (batch, classes)."""

    images: Tensor
    labels: Tensor


class Feed:
    """Shuffled, augmented, full batches of a training split; a context, or call `close`.

    pixels: uint8 (n, height, width, 3), memory-mapped, packed or neither. labels: (n,) class
    indices. indices: rows of the split. classes: number of classes. seed: of order and
    augmentation.
    balanced: draw every class equally often in each epoch, see `data.balanced_order`.
    prefetch: batches prepared ahead in a thread; 0 prepares each on demand. None is 2 on a GPU or
        with fewer threads than cores, else 0 (docs/decisions/0017).
    resident: copy all pixels to the device once instead of per batch. None does so on a GPU with
        four times their size of free memory.
    waited: seconds the consumer has waited for batches; set it to 0 to reset.
    on_epoch: called with epoch and first batch before the first batch is made.

    Raises UsageError where the split is smaller than one batch.
    """

    def __init__(
        self,
        pixels: Pixels,
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
        *,
        classes: int,
        batch_size: int,
        seed: int,
        augment: Augment | None = None,
        device: str | torch.device = "cpu",
        balanced: bool = False,
        prefetch: int | None = None,
        resident: bool | None = None,
    ) -> None:
        if not 0 < batch_size <= len(indices):
            raise UsageError(
                f"a batch of {batch_size} is larger than the {len(indices)} training images"
                if batch_size > 0
                else f"a batch of {batch_size} images is not a batch",
                remedy=f"--batch-size {min(len(indices), 128)}" if len(indices) else None,
            )
        self.steps = len(indices) // batch_size
        self.waited = 0.0
        self._labels, self._indices = labels, indices
        self._classes, self._batch_size, self._seed = classes, batch_size, seed
        self._balanced = balanced
        self._augment, self._device = augment, torch.device(device)
        self._pixels: Pixels | Tensor = _without_subclass(pixels)
        if _fits(pixels.nbytes, self._device) if resident is None else resident:
            self._pixels = _resident(pixels, self._device)
        keys = np.random.PCG64(self._seed_sequence(_KEYS)).random_raw(len(self._labels))
        self._keys = (keys >> 1).astype(np.int64)
        self._prefetch = _default_prefetch(self._device) if prefetch is None else prefetch
        self._thread: ThreadPoolExecutor | None = None
        self.on_epoch: Callable[[int, int], None] = lambda _epoch, _start: None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch (from 0) in its order, from batch `start` on.

        The last images that do not fill a batch are left out; they differ between epochs. An
        error in the preparation of a batch is raised when the batch is consumed.
        """
        self.on_epoch(epoch, start)
        rng = np.random.default_rng(self._seed_sequence(_ORDER, epoch))
        order = (
            data.balanced_order(self._labels, self._indices, rng)
            if self._balanced
            else rng.permutation(self._indices)
        )
        tasks = (partial(self._batch, order, epoch, k) for k in range(start, self.steps))
        batches = self._prefetched(tasks) if self._prefetch else (task() for task in tasks)
        with closing(batches):
            while True:
                began = time.perf_counter()
                batch = next(batches, None)
                self.waited += time.perf_counter() - began
                if batch is None:
                    return
                yield batch

    def close(self) -> None:
        """End the thread and drop prefetched batches."""
        if self._thread:
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prefetched(self, tasks: Iterator[Callable[[], Batch]]) -> Generator[Batch]:
        """Keep `prefetch` tasks in the thread's queue, and yield their results in order."""
        if self._thread is None:
            self._thread = _start_thread()
        futures = deque(self._thread.submit(task) for task in islice(tasks, self._prefetch))
        try:
            while futures:
                batch = futures[0].result()
                futures.popleft()
                futures.extend(self._thread.submit(task) for task in islice(tasks, 1))
                yield batch
        finally:
            for future in futures:
                future.cancel()

    def _batch(self, order: NDArray[np.int64], epoch: int, k: int) -> Batch:
        rows = order[k * self._batch_size : (k + 1) * self._batch_size]
        images = _images(self._pixels, rows, self._device)
        classes = torch.from_numpy(self._labels[rows]).to(self._device)
        labels = functional.one_hot(classes, self._classes).to(torch.float32)
        if self._augment is None:
            return Batch(images, labels)
        (seed,) = self._seed_sequence(_AUGMENT, epoch, k).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(seed))
        keys = torch.from_numpy(self._keys[rows])
        return Batch(*self._augment(images, labels, generator, epoch, keys))

    def _seed_sequence(self, *stream: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._seed, spawn_key=stream)


def _default_prefetch(device: torch.device) -> int:
    """Return how many batches to prefetch: none where the step uses every core already.

    There another thread gains nothing, and makes the step's threads block sooner.
    """
    return 2 if device.type != "cpu" or torch.get_num_threads() < machine.cores() else 0


def _fits(size: int, device: torch.device) -> bool:
    return device.type == "cuda" and 4 * size < torch.cuda.mem_get_info(device)[0]


def _without_subclass(pixels: Pixels) -> Pixels:
    return pixels if isinstance(pixels, Packed) else np.asarray(pixels)


def _resident(pixels: Pixels, device: torch.device) -> Tensor:
    """Copy all pixels to a device, block by block: packed ones are decoded once."""
    blocks = range(0, len(pixels), _COPIED)
    parts = (torch.from_numpy(np.array(pixels[k : k + _COPIED])).to(device) for k in blocks)
    first = next(parts)
    images = first.new_empty(pixels.shape)
    for k, part in zip(blocks, chain((first,), parts), strict=True):
        images[k : k + _COPIED] = part
    return images


def _start_thread() -> ThreadPoolExecutor:
    """Start a thread that computes on one core.

    With torch's default threads in both, training step and feed would have twice as many threads as
    cores, and wait for each other at every operation.
    """
    threads = torch.get_num_threads()
    thread = ThreadPoolExecutor(1, thread_name_prefix="feed")
    thread.submit(torch.set_num_threads, 1).result()
    torch.set_num_threads(threads)  # the line above also set the default of new threads
    return thread


def in_order(
    pixels: Pixels,
    indices: NDArray[np.int64],
    batch_size: int,
    device: str | torch.device = "cpu",
) -> Iterator[Tensor]:
    """Yield the images of a split in order, for evaluation; the last batch may be smaller.

    Each is uint8 (batch, 3, height, width), channels-last.
    """
    pixels = _without_subclass(pixels)
    for first in range(0, len(indices), batch_size):
        yield _images(pixels, indices[first : first + batch_size], torch.device(device))


def _images(pixels: Pixels | Tensor, rows: NDArray[np.int64], device: torch.device) -> Tensor:
    if isinstance(pixels, Tensor):
        rows_of_pixels = pixels[torch.from_numpy(rows).to(device)]
    else:
        rows_of_pixels = torch.from_numpy(pixels.take(rows, axis=0)).to(device)
    return (
        rows_of_pixels if rows_of_pixels.ndim == 2 else rows_of_pixels.permute(0, 3, 1, 2)
    )  # (batch, channels): features
