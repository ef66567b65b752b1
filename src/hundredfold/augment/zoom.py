"""Random magnification, as Keras' RandomZoom, but as a factor."""

from typing import Annotated, Literal

import torch

from hundredfold.augment._chance import uniform
from hundredfold.augment._geometry import Move, matrices
from hundredfold.errors import UsageError
from hundredfold.spec import Range


def zoom(
    count: int,
    generator: torch.Generator,
    *,
    low: Annotated[float, Range(0.1, 10)] = 0.9,
    high: Annotated[float, Range(0.1, 10)] = 1.1,
    fill: Literal["reflect", "zero"] = "reflect",
) -> Move:
    """Magnify each image about its centre by a random factor; the aspect is kept.

    low, high: bounds of the factor, in [0.1, 10]; uniform between them. 1.1 enlarges by 10 %;
        0.9 shrinks and shows pixels from outside the image.
    fill: pixels from outside the image: the mirrored image, or black.

    Raises UsageError for low > high.
    """
    if low > high:
        raise UsageError(
            f"zoom(low={low!r}, high={high!r}) is an empty range",
            remedy=f"zoom(low={high!r}, high={low!r})",
        )
    scale = 1 / uniform(count, low, high, generator)
    return Move(matrices([[scale, 0.0, 0.0], [0.0, scale, 0.0]], count), fill)
