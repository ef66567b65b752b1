"""Arrays to batches on the device.

The order of an epoch is a function of (seed, epoch), the augmentation of a batch one of
(seed, epoch, batch), and each image has a key of its own, a function of (seed, row): a run
that starts in the middle sees what it would have seen.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hundredfold import machine
from hundredfold.errors import UsageError

# images, labels, generator, epoch, keys -> images, labels
Augment = Callable[[Tensor, Tensor, torch.Generator, int, Tensor], tuple[Tensor, Tensor]]

_ORDER, _AUGMENT, _KEYS = 0, 1, 3  # streams of chance that never meet; 2 is the limit's


class Batch(NamedTuple):
    """Images uint8 (batch, 3, size, size) channels-last; labels float32 (batch, classes)."""

    images: Tensor
    labels: Tensor


class Feed:
    """Shuffled, augmented, full batches of a training split; close it, or use it in a `with`.

    pixels: uint8 (n, size, size, 3), memory-mapped or not. labels: (n,) class indices.
    indices: which rows belong to the split.
    prefetch: batches made ahead in a thread; 0 makes each when it is asked for. None makes two
        ahead where a GPU or fewer threads than cores compute (docs/decisions/0017).
    resident: whether the pixels are copied to the device once, instead of batch by batch;
        None does so on a GPU that has four times the memory free.
    waited: seconds the consumer has waited for batches; set it to 0 to start anew.

    Raises UsageError where the split is smaller than one batch.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
        *,
        classes: int,
        batch_size: int,
        seed: int,
        augment: Augment | None = None,
        device: str | torch.device = "cpu",
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
        self._augment, self._device = augment, torch.device(device)
        self._pixels: NDArray[np.uint8] | Tensor = np.asarray(pixels)
        if _fits(self._pixels.nbytes, self._device) if resident is None else resident:
            self._pixels = torch.from_numpy(np.array(pixels)).to(self._device)
        keys = np.random.PCG64(self._chance(_KEYS)).random_raw(len(self._labels))
        self._keys = (keys >> 1).astype(np.int64)
        self._prefetch = _ahead_on(self._device) if prefetch is None else prefetch
        self._thread: ThreadPoolExecutor | None = None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch (from 0) in its order, from batch `start` on.

        The last images that fill no batch are left out; which ones they are changes with
        the epoch. What goes wrong in making a batch is raised where it is asked for.
        """
        order = np.random.default_rng(self._chance(_ORDER, epoch)).permutation(self._indices)
        tasks = (partial(self._batch, order, epoch, k) for k in range(start, self.steps))
        made = self._ahead(tasks) if self._prefetch else (task() for task in tasks)
        with closing(made):
            while True:
                began = time.perf_counter()
                batch = next(made, None)
                self.waited += time.perf_counter() - began
                if batch is None:
                    return
                yield batch

    def close(self) -> None:
        """End the thread; batches that were made ahead are dropped."""
        if self._thread:
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ahead(self, tasks: Iterator[Callable[[], Batch]]) -> Generator[Batch]:
        """Keep `prefetch` tasks in the thread's queue, and yield their results in order."""
        if self._thread is None:
            self._thread = _thread()
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
        (seed,) = self._chance(_AUGMENT, epoch, k).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(seed))
        keys = torch.from_numpy(self._keys[rows])
        return Batch(*self._augment(images, labels, generator, epoch, keys))

    def _chance(self, *what: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._seed, spawn_key=what)


def _ahead_on(device: torch.device) -> int:
    """Return how many batches to make ahead: none where the step has every core already.

    There a thread more gains nothing, and those of the step sleep sooner for it.
    """
    return 2 if device.type != "cpu" or torch.get_num_threads() < machine.cores() else 0


def _fits(size: int, device: torch.device) -> bool:
    return device.type == "cuda" and 4 * size < torch.cuda.mem_get_info(device)[0]


def _thread() -> ThreadPoolExecutor:
    """Start a thread that computes on one core.

    With torch's usual threads in both, the training step and the feed would be four on two
    cores and wait for each other at every operation.
    """
    threads = torch.get_num_threads()
    thread = ThreadPoolExecutor(1, thread_name_prefix="feed")
    thread.submit(torch.set_num_threads, 1).result()
    torch.set_num_threads(threads)  # the line above also told threads that are yet to come
    return thread


def in_order(
    pixels: NDArray[np.uint8],
    indices: NDArray[np.int64],
    batch_size: int,
    device: str | torch.device = "cpu",
) -> Iterator[Tensor]:
    """Yield the images of a split as they stand, for evaluation; the last batch may be smaller.

    Each is uint8 (batch, 3, size, size), channels-last.
    """
    pixels = np.asarray(pixels)
    for first in range(0, len(indices), batch_size):
        yield _images(pixels, indices[first : first + batch_size], torch.device(device))


def _images(
    pixels: NDArray[np.uint8] | Tensor, rows: NDArray[np.int64], device: torch.device
) -> Tensor:
    if isinstance(pixels, Tensor):
        taken = pixels[torch.from_numpy(rows).to(device)]
    else:
        taken = torch.from_numpy(pixels.take(rows, axis=0)).to(device)
    return taken if taken.ndim == 2 else taken.permute(0, 3, 1, 2)  # features stay as they are
