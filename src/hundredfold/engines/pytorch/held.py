"""What the stages of a budget hold in memory for each other."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Maps = NDArray[np.float16]
Key = tuple[object, ...]


@dataclass
class Held:
    """Activations and features that a later stage would compute again.

    groups: last groups of the backbone that a later stage may train. most: bytes of activations
    at most. maps: activations (n, height, width, channels) of a version of a split's images.
    probed: standardised features and labels of the latest training and validation images.
    """

    groups: int
    most: int
    maps: dict[Key, Maps] = field(default_factory=dict)
    probed: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def keep(self, key: Key, parts: list[Maps], count: int) -> None:
        """Keep the activations of `count` images, unless some are missing or it is too much.

        The oldest make room.
        """
        if sum(map(len, parts)) != count or not count:
            return
        new = sum(part.nbytes for part in parts)
        if new > self.most:
            return
        while new + sum(maps.nbytes for maps in self.maps.values()) > self.most:
            del self.maps[next(iter(self.maps))]  # the oldest
        self.maps[key] = np.concatenate(parts)


def as_maps(activations: Tensor) -> Maps:
    """Return activations (b, channels, h, w) as float16 (b, h, w, channels)."""
    maps: Maps = activations.half().cpu().permute(0, 2, 3, 1).contiguous().numpy()
    return maps


def pixels_of(images: NDArray[np.uint8]) -> Tensor:
    """Return images (b, h, w, 3) as uint8 (b, 3, h, w)."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)
