"""Augmentation of whole batches on their device, as a function of images, labels and a generator.

A file holds one operation. There are two kinds, which differ in their positional parameters.
Those with `images, labels, generator` return new images and labels. The others take any of
`count`, `size`, `generator`, `epoch` and `keys`, and return a Move; size is the side in pixels, or
(height, width) where they differ. Consecutive moves become one:
flip, shift, zoom and rotate interpolate pixels once, pad_crop and flip not at all.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from hundredfold import spec
from hundredfold.augment._geometry import Move, compose, move_images
from hundredfold.size import Size
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
    """Return one function that applies the operations of a chain in order.

    The function takes and returns images, uint8 (batch, 3, height, width) channels-last, and
    labels, float32 (batch, classes) distributions. It also takes a generator, the epoch (from 0)
    and keys: int64 (batch,), one fixed number per image (default 0, 1, ...). It changes nothing in
    place, and draws from the generator alone. An empty chain is the identity.

    Raises UsageError for an unknown name or option, or a value out of range.
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
        pending: Move | None = None
        count = len(images)
        arguments: dict[str, Any] = {
            "count": count,
            "size": Size(*images.shape[2:]).given,
            "generator": generator,
            "epoch": epoch,
            "keys": torch.arange(count) if keys is None else keys,
        }
        for operation, handed in steps:
            if "images" in handed:
                images, pending = _moved(images, pending), None
                images, labels = operation(images, labels, generator)
                continue
            move: Move = operation(*(arguments[name] for name in handed))
            composed = compose(pending, move) if pending else move
            if composed is None:
                images = _moved(images, pending)
            pending = composed or move
        return _moved(images, pending), labels

    _try_out(augment)
    return augment


def _moved(images: Tensor, move: Move | None) -> Tensor:
    return move_images(images, move) if move else images


def _try_out(augment: Augment) -> None:
    """Run once on two grey images, so that a wrong option raises before data are read."""
    images = torch.full((2, 3, 8, 8), 128, dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    augment(images, torch.eye(2), torch.Generator().manual_seed(0))
