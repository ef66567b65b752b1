"""A loss in which classes have weights."""

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def weighted(loss: Loss, weights: Tensor) -> Loss:
    """Return a loss whose mean over a batch weights each image by its class.

    loss: mean over a batch of a function of each image's logits and target. weights: (classes,),
    with a mean of 1 over the training images. A mixed target has the mean of its classes' weights.
    The sum is divided by the number of images, so micro-batches add up to the batch's loss.
    """

    def of_image(logits: Tensor, target: Tensor) -> Tensor:
        return loss(logits[None], target[None])

    of_images = torch.func.vmap(of_image)

    def of_batch(logits: Tensor, targets: Tensor) -> Tensor:
        of_each: Tensor = of_images(logits, targets)
        return (of_each * (targets @ weights.to(targets))).mean()

    return of_batch
