"""Augmentation of whole batches on their device, as a function of images, labels and a generator.

A file holds one operation. There are two kinds, told apart by what stands before the star:
`images, labels, generator` return new images and labels; the others take any of `count`,
`size`, `generator`, `epoch` and `keys` and return a Move. Consecutive moves are done as one:
one blend of pixels for flip, shift, zoom and rotate together, and no blend at all for
pad_crop and flip.
"""

from typing import Protocol

import torch
from torch import Tensor

from hundredfold import spec
from hundredfold.augment._geometry import Move, move_images, together
from hundredfold.spec import Chain


class Augment(Protocol):
    """Augment a batch; see `pipeline`."""

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        epoch: int = 0,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]: ...


def pipeline(chain: Chain | str) -> Augment:
    """Return the parts of a chain as one function, done in their order.

    It takes images, labels, a generator, the epoch (from 0) and keys: int64 (batch,), each
    image's own number, the same in every epoch (0, 1, ... if not given). Images are uint8 (batch,
    3, size, size) channels-last, labels float32 (batch, classes) distributions; so are the
    results. Nothing is changed in place, and all other chance comes from the generator. An
    empty chain is the identity.

    Raises UsageError for an unknown name or option, or a value that is out of range.
    """
    parts = spec.chain(chain, __name__) if isinstance(chain, str) else chain
    steps = [(part.resolve(), part.signature.handed) for part in parts]

    def augment(
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        epoch: int = 0,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        waiting: Move | None = None
        count = len(images)
        known = {"count": count, "size": images.shape[-1], "generator": generator}
        known |= {"epoch": epoch, "keys": torch.arange(count) if keys is None else keys}
        for operation, handed in steps:
            if "images" in handed:
                images, waiting = _settled(images, waiting), None
                images, labels = operation(images, labels, generator)
                continue
            move: Move = operation(*(known[name] for name in handed))
            both = together(waiting, move) if waiting else move
            if both is None:
                images = _settled(images, waiting)
            waiting = both or move
        return _settled(images, waiting), labels

    _try_out(augment)
    return augment


def _settled(images: Tensor, move: Move | None) -> Tensor:
    return move_images(images, move) if move else images


def _try_out(augment: Augment) -> None:
    """Run once on two grey images, so that a wrong option is found before anything is read."""
    images = torch.full((2, 3, 8, 8), 128, dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    augment(images, torch.eye(2), torch.Generator().manual_seed(0))
