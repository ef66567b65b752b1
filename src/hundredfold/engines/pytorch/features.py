"""Features of a frozen backbone, computed once for each image and kept in the cache.

    cache/features/<key>/
        features.npy    (n, channels) float32, a row for each image of the part
        rows.npy        (n,) bool, which of them are computed

The key says what decides the values: weights, backbone, cut, resolution, pixels, precision and
how a view is augmented. A computation that is killed goes on from its last save, about
ten seconds before; other seeds, limits and heads find what is there.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold import data, files, locks
from hundredfold.engines.pytorch.feed import Augment
from hundredfold.errors import UsageError

KEPT = 12  # sets of features that stay in the cache
_BLOCK = 512  # rows that are augmented and computed together
_APART = 10.0  # seconds between saves, each of which waits for the disk
_FORMAT = 2  # 1 knew a run's networks with their whitening fitted anew

Extract = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class View:
    """How images are seen: as they are (0), or augmented with the chance of that number."""

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

    The array is memory-mapped and read-only.
    """
    folder = _folder(wanted, cache)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        done = _done(folder, wanted)
        if done is None:
            done = _begun(folder, wanted)
        missing = np.zeros(len(done), bool)
        missing[wanted.rows] = True
        missing &= ~done
        if missing.any():
            _fill(extract, wanted.pixels, missing, done, wanted.view, folder)
    _tidy(folder)
    found: NDArray[np.float32] = np.load(folder / "features.npy", mmap_mode="r")
    return found


def lacking(wanted: Wanted, cache: Path) -> int:
    """Return how many rows `compute` would have to compute."""
    done = _done(_folder(wanted, cache), wanted)
    return len(wanted.rows) if done is None else int((~done[wanted.rows]).sum())


def _folder(wanted: Wanted, cache: Path) -> Path:
    told = json.dumps([_FORMAT, *wanted.identity, wanted.view.text, wanted.view.number])
    return cache / "features" / hashlib.sha256(told.encode()).hexdigest()[:32]


def _done(folder: Path, wanted: Wanted) -> NDArray[np.bool_] | None:
    """Return which rows are computed, None where there are no files for this part."""
    try:
        done: NDArray[np.bool_] = np.load(folder / "rows.npy")
        array = np.load(folder / "features.npy", mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    count = len(wanted.pixels)
    fits = done.shape == (count,) and array.shape == (count, wanted.channels)
    return done if fits else None


def _begun(folder: Path, wanted: Wanted) -> NDArray[np.bool_]:
    """Make the file of features and return that no row is computed."""
    shape = (len(wanted.pixels), wanted.channels)
    array = np.lib.format.open_memmap(
        folder / "features.npy", mode="w+", dtype=np.float32, shape=shape
    )
    array.flush()
    return np.zeros(shape[0], bool)


def _fill(
    extract: Extract,
    pixels: NDArray[np.uint8],
    missing: NDArray[np.bool_],
    done: NDArray[np.bool_],
    view: View,
    folder: Path,
) -> None:
    array = np.load(folder / "features.npy", mmap_mode="r+")
    seen = f" of view {view.number}" if view.number else ""
    text, total = f"computing features{seen}", int(missing.sum())

    def save() -> float:
        array.flush()  # before the word that they are there
        files.write(folder / "rows.npy", lambda file: np.save(file, done))
        return time.monotonic()

    with data.progress(text, total, count=True) as advance:
        saved = time.monotonic()
        try:
            for first in range(0, len(missing), _BLOCK):
                within = missing[first : first + _BLOCK]
                if not within.any():
                    continue
                some = torch.from_numpy(np.array(pixels[first : first + _BLOCK]))
                images = view.of(some.permute(0, 3, 1, 2), first)[torch.from_numpy(within)]
                array[first : first + _BLOCK][within] = extract(images).float().cpu().numpy()
                done[first : first + _BLOCK] |= within
                advance(len(images))
                if time.monotonic() - saved >= _APART:
                    saved = save()
        finally:
            save()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process compute at a time; the lock goes with its process."""
    with (folder / ".lock").open("a") as file, locks.exclusive(file, wait=True):
        yield


def _tidy(folder: Path) -> None:
    """Drop the sets that were not asked for longest; a mapped file outlives its name."""
    (folder / ".lock").touch()
    sets = [place for place in folder.parent.iterdir() if (place / ".lock").exists()]
    sets.sort(key=lambda place: (place / ".lock").stat().st_mtime, reverse=True)
    for old in sets[KEPT:]:
        if time.time() - (old / ".lock").stat().st_mtime > 3600:
            shutil.rmtree(old, ignore_errors=True)
