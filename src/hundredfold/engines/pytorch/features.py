"""Features of a frozen backbone, computed once per image and cached.

The key covers what determines the values: weights, backbone, cut, resolution, pixels, precision
and the view's augmentation. A computation that is killed continues from its last save, about ten
seconds before. Other seeds, limits and heads reuse the features. Where the cache is not writable,
they stay in memory.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold import data, locks
from hundredfold.cache import Store
from hundredfold.engines.pytorch import feature_rows
from hundredfold.engines.pytorch.feature_rows import BLOCK, FeatureRows
from hundredfold.engines.pytorch.feed import Augment
from hundredfold.errors import UsageError

_LOG = logging.getLogger(__name__)
KEPT = 12  # sets of features in the cache
_UNUSED = 3600.0  # seconds before a set may be removed: one training can use more than KEPT views
_SAVE_INTERVAL = 10.0  # seconds; each save waits for the disk
_VERSION = 4  # increase it when the same facts would give other features

Extract = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class View:
    """A version of the images: number 0 is as they are, others are augmented with that seed.

    text: the chain of augmentations.
    """

    number: int = 0
    text: str = ""
    augment: Augment | None = None

    def apply(self, images: Tensor, block: int) -> Tensor:
        """Return this view of uint8 images (b, 3, h, w); block: row of the first one.

        Raises UsageError for augmentations that change labels.
        """
        if self.augment is None:
            return images
        seed = np.random.SeedSequence((self.number, block)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(seed[0]))
        rows = torch.arange(block, block + len(images))
        labels = rows.float()[:, None]
        augmented, new_labels = self.augment(images, labels, generator, self.number, rows)
        if not torch.equal(labels, new_labels):
            raise UsageError(
                f"{self.text} mixes labels, which features of one image cannot follow",
                remedy="--augment flip, or a rate above 0",
            )
        return augmented


@dataclass(frozen=True)
class Request:
    """Which features are needed, and what determines them.

    pixels: (n, height, width, 3) of a whole part of the data set. rows: indices of the images whose
    features are needed. channels: of the features. identity: JSON values that determine the
    features beside the view.
    """

    pixels: data.Pixels
    rows: NDArray[np.int64]
    channels: int
    view: View
    identity: list[Any]


def compute(extract: Extract, request: Request, cache: Path) -> NDArray[np.float32]:
    """Return features (n, channels) of a part's images, computing missing rows.

    extract: uint8 (b, 3, h, w) -> (b, channels). Only the requested rows are valid. The array is
    read-only, and memory-mapped where it is in the cache.
    """
    store, key = _store(cache), _key(request, cache)
    folder, shape = store.path(key), _shape(request)
    rows = feature_rows.read(folder, shape)
    if rows is not None:
        rows.drop_damaged(request.rows)
    if rows is None or rows.missing(request.rows).any():
        with ExitStack() as lock:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock.enter_context(locks.alone(folder))
                rows = feature_rows.open_to_write(folder, shape)
                if rows.drop_damaged(request.rows):
                    _LOG.warning("warning: %s is damaged and is computed anew", folder)
            except (OSError, UsageError):  # the cache is not writable, or has no locks
                rows = feature_rows.in_memory(shape)
            _fill(extract, request, rows)
        store.drop_old()
    store.mark_used(key)
    rows.features.setflags(write=False)
    return rows.features


def count_missing(request: Request, cache: Path) -> int:
    """Return how many rows `compute` would compute, without those in damaged blocks."""
    rows = feature_rows.read(_store(cache).path(_key(request, cache)), _shape(request))
    return len(request.rows) if rows is None else int(rows.missing(request.rows).sum())


def _store(cache: Path) -> Store:
    return Store(cache, "features", version=_VERSION, keep=KEPT, unused=_UNUSED)


def _key(request: Request, cache: Path) -> str:
    return _store(cache).key(request.identity, request.view.text, request.view.number)


def _shape(request: Request) -> tuple[int, int]:
    return len(request.pixels), request.channels


def _fill(extract: Extract, request: Request, rows: FeatureRows) -> None:
    """Compute the requested rows that are missing, and save every `_SAVE_INTERVAL`."""
    missing = rows.missing(request.rows)
    number = request.view.number
    text = f"computing features of view {number}" if number else "computing features"
    total = int(missing.sum())
    with data.progress(text if total else "", total, count=True) as advance:
        saved = time.monotonic()
        try:
            for first in range(0, len(missing), BLOCK):
                block = slice(first, first + BLOCK)
                if not missing[block].any():
                    continue
                pixels = torch.from_numpy(np.array(request.pixels[block])).permute(0, 3, 1, 2)
                images = request.view.apply(pixels, first)[torch.from_numpy(missing[block])]
                rows.put(first, missing[block], extract(images).float().cpu().numpy())
                advance(len(images))
                if time.monotonic() - saved >= _SAVE_INTERVAL:
                    rows.save()
                    saved = time.monotonic()
        finally:
            rows.save()
