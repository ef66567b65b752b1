"""Register pairs of images, and measure how well they agree.

Gauss-Newton steps on the squared difference find a shift and a zoom (Lucas and Kanade 1981;
inverse compositional form of Baker and Matthews 2004): first the shift at 16 pixels, then
both at 16 and at 32. Brightness and contrast are free.
"""

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._lines import grid, sampled
from hundredfold.duplicates._thumbnails import SIDE, Floats

_FIT = 0.75  # correlation at 16 pixels below which a pair is dropped
_BORDER = 1 / 11  # fraction of the side, at each edge, that is ignored while registering
_DAMPING = 0.1
_FARTHEST = 0.4  # largest shift, in half sides
_ZOOMS = (0.7, 1.4)  # smallest and largest
_SMOOTH = np.array([1, 4, 6, 4, 1], np.float32) / 16


def shifted(
    images: NDArray[np.uint8], references: NDArray[np.uint8], zoom: Floats
) -> tuple[Floats, Floats]:
    """Return the shift (n, 2) in half sides at 16 pixels, and the correlation (n,) after it.

    images, references: (n, 32, 32) uint8 brightness of pairs.
    zoom: (n,), first guess of the fraction of the reference's side in the image.
    """
    shift = np.zeros((len(images), 2), np.float32)
    image, reference = (_half(grey.astype(np.float32)) for grey in (images, references))
    return _moved(image, reference, zoom, shift, 3, free=False)[1:]


def agreement(
    images: NDArray[np.uint8], references: NDArray[np.uint8], zoom: Floats, shift: Floats
) -> Floats:
    """Return the agreement (n,) in [-1, 1] of pairs of images (n, 32, 32).

    Agreement is the mean of two correlations over the overlap: of brightness, and of its fine
    detail. Different pictures of the same kind may agree in brightness, but not in detail.
    """
    agreed = np.full(len(images), -1, np.float32)
    image, reference = images.astype(np.float32), references.astype(np.float32)
    zoom, shift, fits = _moved(_half(image), _half(reference), zoom, shift, 4, free=True)
    live = np.flatnonzero(fits > _FIT)
    if len(live):
        image, reference = image[live], reference[live]
        zoom, shift, _ = _moved(image, reference, zoom[live], shift[live], 3, free=True)
        agreed[live] = _alike(image, reference, zoom, shift)
    return agreed


def _moved(
    images: Floats, references: Floats, zoom: Floats, shift: Floats, steps: int, *, free: bool
) -> tuple[Floats, Floats, Floats]:
    """Take Gauss-Newton steps; return zoom (n,), shift (n, 2: down, across), correlation (n,).

    free: whether the zoom is fitted too.
    """
    count, size = images.shape[:2]
    border = round(size * _BORDER)
    cut = (slice(None), *(slice(border, size - border),) * 2)
    goal = _standard(images[cut]).reshape(count, -1, 1)
    spread = np.maximum(images[cut].std((1, 2), keepdims=True), 1e-3)
    down, across = (np.gradient(images, axis=axis)[cut] * (size / 2) / spread for axis in (1, 2))
    changes = [down, across]
    if free:
        at = grid(size, border)
        changes.append(down * at[:, None] + across * at)
    solve = _solver(np.stack(changes, 1).reshape(count, len(changes), -1), goal)
    for _ in range(steps):
        error = _standard(_laid(references, zoom, shift, border)).reshape(count, -1, 1) - goal
        step = np.clip((solve @ error)[:, :, 0], -0.12, 0.12)
        grown = 1 + step[:, 2] if free else np.ones(count, np.float32)
        shift = shift - (zoom / grown)[:, None] * step[:, :2]
        shift = np.clip(shift, -_FARTHEST, _FARTHEST).astype(np.float32)
        zoom = np.clip(zoom / grown, *_ZOOMS).astype(np.float32)
    laid = _standard(_laid(references, zoom, shift, border)).reshape(count, -1)
    return zoom, shift, np.asarray((laid * goal[:, :, 0]).mean(1), np.float32)


def _solver(changes: Floats, goal: Floats) -> Floats:
    """Return (n, p, pixels), the matrix from an error image to a step of p parameters."""
    changes = changes - changes.mean(2, keepdims=True)
    changes -= (changes @ goal) / goal.shape[1] * goal.swapaxes(1, 2)  # contrast is free
    normal = changes @ changes.swapaxes(1, 2)
    parameters = normal.shape[1]
    scale = np.trace(normal[:, :2, :2], axis1=1, axis2=2)[:, None, None] / 2
    damping = np.diag([_DAMPING] * 2 + [4 * _DAMPING] * (parameters - 2)).astype(np.float32)
    normal += damping * scale + 1e-3 * np.eye(parameters, dtype=np.float32)
    return np.asarray(np.linalg.inv(normal) @ changes, np.float32)


def _alike(images: Floats, references: Floats, zoom: Floats, shift: Floats) -> Floats:
    laid = _laid(references, zoom, shift, 0)
    inside = [np.abs(zoom[:, None] * grid(SIDE) + shift[:, k, None]) < 1 for k in (0, 1)]
    both = (inside[0][:, :, None] & inside[1][:, None, :]).astype(np.float32)
    whole = _correlation(images, laid, both)
    fine = _correlation(_detail(images), _detail(laid), both)
    return np.asarray((whole + fine) / 2, np.float32)


def _laid(references: Floats, zoom: Floats, shift: Floats, border: int) -> Floats:
    size = references.shape[1]
    down, across = (sampled(zoom, shift[:, k], size, border) for k in (0, 1))
    return np.asarray(down @ references @ across.swapaxes(1, 2), np.float32)


def _standard(images: Floats) -> Floats:
    images = images - images.mean((1, 2), keepdims=True)
    spread = np.sqrt((images * images).mean((1, 2), keepdims=True))
    return np.asarray(images / np.maximum(spread, 1e-3), np.float32)


def _correlation(a: Floats, b: Floats, weights: Floats) -> Floats:
    total = np.maximum(weights.sum((1, 2), keepdims=True), 1)
    a, b = ((x - (x * weights).sum((1, 2), keepdims=True) / total) * weights for x in (a, b))
    power = (a * a).sum((1, 2)) * (b * b).sum((1, 2))
    return np.asarray((a * b).sum((1, 2)) / np.sqrt(power + 1), np.float32)


def _detail(images: Floats) -> Floats:
    """Return the images minus their blur: their fine detail."""
    blur = sum(
        weight * np.eye(SIDE + 4, dtype=np.float32)[offset : offset + SIDE]
        for offset, weight in enumerate(_SMOOTH)
    )
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)), "edge")
    return np.asarray(images - blur @ padded @ np.transpose(blur), np.float32)


def _half(images: Floats) -> Floats:
    count, size = images.shape[:2]
    return np.asarray(images.reshape(count, size // 2, 2, size // 2, 2).mean((2, 4)), np.float32)
