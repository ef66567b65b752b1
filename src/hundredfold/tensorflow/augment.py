"""The recipe's operations as Keras' own layers, each for a batch of float images in 0..255.

Options are those of `hundredfold.augment`; what Keras' layers cannot do is refused.
"""

from typing import Any, Literal

from keras import layers

from hundredfold.errors import UsageError

_FILL = {"reflect": "reflect", "zero": "constant"}


def flip(*, share: float = 0.5) -> Any:
    """Mirror half of the images left to right."""
    if share != 0.5:
        raise UsageError(
            f"Keras mirrors half of the images, not flip(share={share})", remedy="flip"
        )
    return layers.RandomFlip("horizontal")


def shift(
    *,
    horizontal: float = 0.1,
    vertical: float = 0.1,
    fill: Literal["reflect", "zero"] = "reflect",
) -> Any:
    """Shift by up to these shares of width and height."""
    return layers.RandomTranslation(vertical, horizontal, fill_mode=_FILL[fill])


def zoom(
    *, low: float = 0.9, high: float = 1.1, fill: Literal["reflect", "zero"] = "reflect"
) -> Any:
    """Magnify by a factor in [low, high]: Keras has the size of what is seen, 1 / factor - 1."""
    return layers.RandomZoom((1 / high - 1, 1 / low - 1), fill_mode=_FILL[fill])


def rotate(*, degrees: float = 15.0, fill: Literal["reflect", "zero"] = "reflect") -> Any:
    """Rotate by up to `degrees` to either side."""
    return layers.RandomRotation(degrees / 360, fill_mode=_FILL[fill])
