"""Register pairs of images.

Gauss-Newton steps on the squared difference find a shift and two zooms, down and across (Lucas
and Kanade 1981; inverse compositional form of Baker and Matthews 2004): at 8 pixels first, then
at 16 and at 32. Brightness and contrast are free. Only pixels that both images show take part.
"""

import numpy as np

from hundredfold.duplicates._agree import agree, correlation, unlike_colours
from hundredfold.duplicates._lines import grid, halved, sampled
from hundredfold.duplicates._thumbnails import Floats

_FIT = 0.75  # correlation at 16 pixels below which a pair is dropped
_BORDER = 1 / 11  # fraction of the side, at each edge, that is ignored while registering
_DAMPING = 0.1
_FARTHEST = 0.5  # largest shift, in half sides
_ZOOMS = (0.6, 1.7)  # smallest and largest


def aligned(
    images: Floats, references: Floats, zoom: Floats, shift: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return zoom and shift (n, 2), down and across, at 16 pixels, and the correlation (n,).

    images, references: (n, 16, 16) blurred brightness of pairs.
    zoom: (n, 2), first guess of the fractions of the reference's sides in the image.
    shift: (n, 2), first guess, in half sides.
    """
    zoom, shift, _ = _moved(halved(images), halved(references), zoom, shift, 3)
    return _moved(images, references, zoom, shift, 3)


def agreement(
    images: tuple[Floats, Floats], references: tuple[Floats, Floats], zoom: Floats, shift: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the agreement (n,) in [-1, 1] of pairs of images; -1 where they do not fit.

    Beside it, return their zoom and shift (n, 2) at 32 pixels.

    images, references: brightness (n, 32, 32), and coarse planes (n, 3, 16, 16).
    zoom, shift: (n, 2), from `aligned`.
    """
    agreed = np.full(len(zoom), -1, np.float32)
    coarse, coarse_references = images[1][:, 0], references[1][:, 0]
    zoom, shift, fits = _moved(coarse, coarse_references, zoom, shift, 3)
    live = np.flatnonzero(fits > _FIT)
    if len(live):
        (image, planes), (reference, reference_planes) = (
            [kind[live] for kind in pair] for pair in (images, references)
        )
        zooms, shifts, _ = _moved(image, reference, zoom[live], shift[live], 4)
        zoom[live], shift[live] = zooms, shifts
        alike = agree(image, laid(reference, zooms, shifts), overlap(zooms, shifts, 32))
        colours, both = laid(reference_planes[:, 1:], zooms, shifts), overlap(zooms, shifts, 16)
        alike -= unlike_colours(planes[:, 1:], colours, both)
        agreed[live] = np.maximum(alike, -1)
    return agreed, zoom, shift


def _moved(
    images: Floats, references: Floats, zoom: Floats, shift: Floats, steps: int
) -> tuple[Floats, Floats, Floats]:
    """Take Gauss-Newton steps; return zoom and shift (n, 2: down, across), correlation (n,)."""
    count, size = images.shape[:2]
    weights = overlap(zoom, shift, size)
    border = round(size * _BORDER)
    for edge in (slice(border), slice(size - border, size)):
        weights[:, edge], weights[:, :, edge] = 0, 0
    standard = _standard(images, weights)
    down, across = (np.gradient(standard, axis=axis) * (size / 2) for axis in (1, 2))
    changes = np.stack([down, across, down * grid(size)[:, None], across * grid(size)], 1)
    flat, goal = weights.reshape(count, 1, -1), (standard * weights).reshape(count, -1, 1)
    solve = _solver(changes.reshape(count, 4, -1), goal, flat)
    for _ in range(steps):
        over = _standard(laid(references, zoom, shift), weights) * weights
        step = np.clip((solve @ (over.reshape(count, -1, 1) - goal))[:, :, 0], -0.12, 0.12)
        grown = 1 + step[:, 2:]
        shift = shift - zoom / grown * step[:, :2]
        shift = np.clip(shift, -_FARTHEST, _FARTHEST).astype(np.float32)
        zoom = np.clip(zoom / grown, *_ZOOMS).astype(np.float32)
    return zoom, shift, correlation(images, laid(references, zoom, shift), weights)


def _solver(changes: Floats, goal: Floats, weights: Floats) -> Floats:
    """Return (n, 4, pixels), the matrix from an error image to a step of the parameters."""
    total = np.maximum(weights.sum(2, keepdims=True), 1)
    changes = (changes - (changes @ weights.swapaxes(1, 2)) / total) * weights
    changes -= (changes @ goal) / total * goal.swapaxes(1, 2)  # contrast is free
    normal = changes @ changes.swapaxes(1, 2)
    scale = np.trace(normal[:, :2, :2], axis1=1, axis2=2)[:, None, None] / 2
    damping = np.diag([_DAMPING, _DAMPING, 2 * _DAMPING, 2 * _DAMPING]).astype(np.float32)
    normal += damping * scale + 1e-3 * np.eye(4, dtype=np.float32)
    return np.asarray(np.linalg.inv(normal) @ changes, np.float32)


def laid(references: Floats, zoom: Floats, shift: Floats) -> Floats:
    """Return references (n, ..., size, size) laid over their images."""
    size = references.shape[-1]
    down, across = (sampled(zoom[:, k], shift[:, k], size) for k in (0, 1))
    if references.ndim == 4:
        down, across = down[:, None], across[:, None]
    return np.asarray(down @ references @ across.swapaxes(-2, -1), np.float32)


def overlap(zoom: Floats, shift: Floats, size: int) -> Floats:
    """Return (n, size, size), 1 where the reference shows the pixel too, else 0."""
    inside = [np.abs(zoom[:, k, None] * grid(size) + shift[:, k, None]) < 1 for k in (0, 1)]
    return np.asarray(inside[0][:, :, None] & inside[1][:, None, :], np.float32)


def _standard(images: Floats, weights: Floats) -> Floats:
    """Return images of mean 0 and deviation 1 where the weights are 1."""
    total = np.maximum(weights.sum((1, 2), keepdims=True), 1)
    images = images - (images * weights).sum((1, 2), keepdims=True) / total
    power = (images * images * weights).sum((1, 2), keepdims=True) / total
    return np.asarray(images / np.maximum(np.sqrt(power), 1e-3), np.float32)
