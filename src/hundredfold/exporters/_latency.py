"""Time exported files, one image at a time."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hundredfold.onnx_model import open_onnx

_ROUNDS = 40
_WARM = 3
_SECONDS = 4.0  # of all files together, at most


def latencies(contents: Sequence[bytes], image: NDArray[np.uint8]) -> list[float]:
    """Return the median milliseconds of each file for an image (1, height, width, 3).

    The files take turns, so that other processes slow all of them alike.
    """
    models = [open_onnx(content) for content in contents]
    for model in models * _WARM:
        model.run(image)
    rounds: list[list[float]] = []
    end = time.monotonic() + _SECONDS
    while len(rounds) < _ROUNDS and (not rounds or time.monotonic() < end):
        rounds.append([])
        for model in models:
            start = time.perf_counter()
            model.run(image)
            rounds[-1].append(1e3 * (time.perf_counter() - start))
    return [float(value) for value in np.median(rounds, axis=0)]
