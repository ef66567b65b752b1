"""Features of a frozen backbone, computed once for each image and kept in the cache.

The key says what decides the values: weights, backbone, cut, resolution, pixels, precision and
how a view is augmented. A computation that is killed goes on from its last save, about
ten seconds before; other seeds, limits and heads find what is there. Where the cache cannot be
written the features stay in memory.
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
KEPT = 12  # sets of features that stay in the cache
_UNUSED = 3600.0  # seconds before a set may go: a training can use more views than are kept
_APART = 10.0  # seconds between saves, each of which waits for the disk
_VERSION = 3  # raise it when the same facts would give other features

Extract = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class View:
    """How images are seen: as they are (0), or augmented with the seed of that number."""

    number: int = 0
    text: str = ""
    augment: Augment | None = None

    def of(self, images: Tensor, block: int) -> Tensor:
        """Return uint8 images (b, 3, h, w), rows from `block` on, as this view shows them.

        Raises UsageError where labels would have to change with the images.
        """
        if self.augment is None:
            return images
        seed = np.random.SeedSequence((self.number, block)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(seed[0]))
        rows = torch.arange(block, block + len(images))
        labels = rows.float()[:, None]
        seen, after = self.augment(images, labels, generator, self.number, rows)
        if not torch.equal(labels, after):
            raise UsageError(
                f"{self.text} mixes labels, which features of one image cannot follow",
                remedy="--augment flip, or a rate above 0",
            )
        return seen


@dataclass(frozen=True)
class Wanted:
    """Features of some images of a part, and what decides them.

    pixels: (n, size, size, 3) of the whole part. rows: of it. channels: of the features.
    identity: JSON values that decide the features, beside the view.
    """

    pixels: NDArray[np.uint8]
    rows: NDArray[np.int64]
    channels: int
    view: View
    identity: list[Any]


def compute(extract: Extract, wanted: Wanted, cache: Path) -> NDArray[np.float32]:
    """Return features (n, channels) of a part's images, of which the wanted rows are valid.

    The array is read-only, and memory-mapped where it is in the cache.
    """
    store, key = _store(cache), _key(wanted, cache)
    folder, shape = store.path(key), _shape(wanted)
    rows = feature_rows.read(folder, shape)
    if rows is not None:
        rows.drop_damaged(wanted.rows)
    if rows is None or rows.missing(wanted.rows).any():
        with ExitStack() as held:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(locks.alone(folder))
                rows = feature_rows.open_to_write(folder, shape)
                if rows.drop_damaged(wanted.rows):
                    _LOG.warning("warning: %s is damaged and is computed anew", folder)
            except (OSError, UsageError):  # a cache that cannot be written, or has no locks
                rows = feature_rows.in_memory(shape)
            _fill(extract, wanted, rows)
        store.drop_old()
    store.mark_used(key)
    rows.features.setflags(write=False)
    return rows.features


def lacking(wanted: Wanted, cache: Path) -> int:
    """Return how many rows `compute` would have to compute, damaged ones not counted."""
    rows = feature_rows.read(_store(cache).path(_key(wanted, cache)), _shape(wanted))
    return len(wanted.rows) if rows is None else int(rows.missing(wanted.rows).sum())


def _store(cache: Path) -> Store:
    return Store(cache, "features", version=_VERSION, keep=KEPT, unused=_UNUSED)


def _key(wanted: Wanted, cache: Path) -> str:
    return _store(cache).key(wanted.identity, wanted.view.text, wanted.view.number)


def _shape(wanted: Wanted) -> tuple[int, int]:
    return len(wanted.pixels), wanted.channels


def _fill(extract: Extract, wanted: Wanted, rows: FeatureRows) -> None:
    """Compute the wanted rows that are missing, and save now and then."""
    missing = rows.missing(wanted.rows)
    number = wanted.view.number
    text = f"computing features of view {number}" if number else "computing features"
    total = int(missing.sum())
    with data.progress(text if total else "", total, count=True) as advance:
        saved = time.monotonic()
        try:
            for first in range(0, len(missing), BLOCK):
                block = slice(first, first + BLOCK)
                if not missing[block].any():
                    continue
                pixels = torch.from_numpy(np.array(wanted.pixels[block])).permute(0, 3, 1, 2)
                images = wanted.view.of(pixels, first)[torch.from_numpy(missing[block])]
                rows.put(first, missing[block], extract(images).float().cpu().numpy())
                advance(len(images))
                if time.monotonic() - saved >= _APART:
                    rows.save()
                    saved = time.monotonic()
        finally:
            rows.save()
