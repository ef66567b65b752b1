"""Layers that Keras lacks: the scaling and the shortcut A of `models/_layers.py`."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

RGB = tuple[float, ...]


class Scale(keras.layers.Layer):  # type: ignore[misc]
    """Turn uint8 images (b, h, w, 3) into float32, (x - mean) / std per channel, in 0..255."""

    def __init__(
        self, name: str, mean: RGB = (127.5, 127.5, 127.5), std: RGB = (64.0, 64.0, 64.0)
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self._start = mean, std

    def build(self, input_shape: Any) -> None:  # noqa: ARG002
        mean, std = (keras.initializers.Constant(np.reshape(v, (1, 1, 3))) for v in self._start)
        self.mean = self.add_weight((1, 1, 3), mean, trainable=False, name="mean")
        self.std = self.add_weight((1, 1, 3), std, trainable=False, name="std")

    def call(self, images: Any) -> Any:
        return (ops.cast(images, "float32") - self.mean) / self.std

    def fit(self, images: NDArray[np.uint8]) -> None:
        """Set mean and deviation from uint8 images (n, h, w, 3); a constant channel gets 1."""
        flat = images.reshape(-1, 3)
        counts = np.stack([np.bincount(flat[:, c], minlength=256) for c in range(3)])
        fractions, values = counts / counts.sum(1, keepdims=True), np.arange(256.0)
        mean = fractions @ values
        std = np.sqrt(np.maximum(fractions @ values**2 - mean**2, 0))
        self.mean.assign(mean.reshape(1, 1, 3))
        self.std.assign(np.where(std > 1e-3, std, 1.0).reshape(1, 1, 3))


class PadShortcut(keras.layers.Layer):  # type: ignore[misc]
    """Subsample and append zero channels (He et al. 2016, shortcut A)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def call(self, x: Any) -> Any:
        kept = x[:, :: self.stride, :: self.stride]
        return ops.pad(kept, ((0, 0), (0, 0), (0, 0), (0, self.channels - x.shape[-1])))
