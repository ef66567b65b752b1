"""Register pairs of images, and measure how well they agree.

Gauss-Newton steps on the squared difference find a shift and two zooms, down and across (Lucas
and Kanade 1981; inverse compositional form of Baker and Matthews 2004): at 16 pixels first, then
at 32. Brightness and contrast are free. Only pixels that both images show take part.
"""

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._lines import grid, sampled
from hundredfold.duplicates._thumbnails import SIDE, Floats

_FIT = 0.75  # correlation at 16 pixels below which a pair is dropped
_BORDER = 1 / 11  # fraction of the side, at each edge, that is ignored while registering
_DAMPING = 0.1
_FARTHEST = 0.5  # largest shift, in half sides
_ZOOMS = (0.6, 1.7)  # smallest and largest
_PLAIN = 0.02  # change of brightness in one direction, of both, that counts as agreeing
_SMOOTH = np.array([1, 4, 6, 4, 1], np.float32) / 16


def aligned(
    images: NDArray[np.uint8], references: NDArray[np.uint8], zoom: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return zoom and shift (n, 2), down and across, at 16 pixels, and the correlation (n,).

    images, references: (n, 32, 32) uint8 brightness of pairs.
    zoom: (n, 2), first guess of the fractions of the reference's sides in the image.
    The shift is in half sides.
    """
    shift = np.zeros((len(images), 2), np.float32)
    image, reference = (_half(grey.astype(np.float32)) for grey in (images, references))
    zoom, shift, _ = _moved(image, reference, zoom, shift, 2, free=False)
    return _moved(image, reference, zoom, shift, 3, free=True)


def agreement(
    images: NDArray[np.uint8], references: NDArray[np.uint8], zoom: Floats, shift: Floats
) -> Floats:
    """Return the agreement (n,) in [-1, 1] of pairs of images (n, 32, 32).

    zoom, shift: (n, 2), from `aligned`.

    Agreement is the mean of three correlations over the overlap: of brightness, of its fine
    detail, and of its changes, down or across, whichever agree less. Different pictures of the
    same kind may agree in brightness, but hardly in all.
    """
    agreed = np.full(len(images), -1, np.float32)
    image, reference = images.astype(np.float32), references.astype(np.float32)
    zoom, shift, fits = _moved(_half(image), _half(reference), zoom, shift, 3, free=True)
    live = np.flatnonzero(fits > _FIT)
    if len(live):
        image, reference = image[live], reference[live]
        zoom, shift, _ = _moved(image, reference, zoom[live], shift[live], 4, free=True)
        agreed[live] = _alike(image, reference, zoom, shift)
    return agreed


def _moved(
    images: Floats, references: Floats, zoom: Floats, shift: Floats, steps: int, *, free: bool
) -> tuple[Floats, Floats, Floats]:
    """Take Gauss-Newton steps; return zoom and shift (n, 2: down, across), correlation (n,).

    free: whether the zooms are fitted too.
    """
    count, size = images.shape[:2]
    weights = _overlap(zoom, shift, size)
    border = round(size * _BORDER)
    for edge in (slice(border), slice(size - border, size)):
        weights[:, edge], weights[:, :, edge] = 0, 0
    standard = _standard(images, weights)
    down, across = (np.gradient(standard, axis=axis) * (size / 2) for axis in (1, 2))
    changes = [down, across]
    if free:
        changes += [down * grid(size)[:, None], across * grid(size)]
    flat, goal = weights.reshape(count, 1, -1), (standard * weights).reshape(count, -1, 1)
    solve = _solver(np.stack(changes, 1).reshape(count, len(changes), -1), goal, flat)
    for _ in range(steps):
        laid = _standard(_laid(references, zoom, shift), weights) * weights
        step = np.clip((solve @ (laid.reshape(count, -1, 1) - goal))[:, :, 0], -0.12, 0.12)
        grown = 1 + step[:, 2:] if free else np.ones_like(zoom)
        shift = shift - zoom / grown * step[:, :2]
        shift = np.clip(shift, -_FARTHEST, _FARTHEST).astype(np.float32)
        zoom = np.clip(zoom / grown, *_ZOOMS).astype(np.float32)
    return zoom, shift, _correlation(images, _laid(references, zoom, shift), weights)


def _solver(changes: Floats, goal: Floats, weights: Floats) -> Floats:
    """Return (n, p, pixels), the matrix from an error image to a step of p parameters."""
    total = np.maximum(weights.sum(2, keepdims=True), 1)
    changes = (changes - (changes @ weights.swapaxes(1, 2)) / total) * weights
    changes -= (changes @ goal) / total * goal.swapaxes(1, 2)  # contrast is free
    normal = changes @ changes.swapaxes(1, 2)
    parameters = normal.shape[1]
    scale = np.trace(normal[:, :2, :2], axis1=1, axis2=2)[:, None, None] / 2
    damping = np.diag([_DAMPING] * 2 + [2 * _DAMPING] * (parameters - 2)).astype(np.float32)
    normal += damping * scale + 1e-3 * np.eye(parameters, dtype=np.float32)
    return np.asarray(np.linalg.inv(normal) @ changes, np.float32)


def _alike(images: Floats, references: Floats, zoom: Floats, shift: Floats) -> Floats:
    laid, both = _laid(references, zoom, shift), _overlap(zoom, shift, SIDE)
    whole = _correlation(images, laid, both)
    fine = _correlation(_detail(images), _detail(laid), both)
    return np.asarray((whole + fine + _changes(images, laid, both)) / 3, np.float32)


def _changes(a: Floats, b: Floats, weights: Floats) -> Floats:
    """Return the smaller correlation (n,) of changes down and across.

    A direction without changes agrees, as it does where only one direction has any.
    """
    products = []
    for axis in (1, 2):
        one, other = (np.gradient(x, axis=axis) * weights for x in (a, b))
        sums = [(x * y).sum((1, 2)) for x, y in ((one, other), (one, one), (other, other))]
        products.append((sums[0], np.sqrt(sums[1] * sums[2])))
    least = _PLAIN * sum(power for _, power in products) + 1
    each = [(product + least) / (power + least) for product, power in products]
    return np.asarray(np.minimum(*each), np.float32)


def _laid(references: Floats, zoom: Floats, shift: Floats) -> Floats:
    size = references.shape[1]
    down, across = (sampled(zoom[:, k], shift[:, k], size) for k in (0, 1))
    return np.asarray(down @ references @ across.swapaxes(1, 2), np.float32)


def _overlap(zoom: Floats, shift: Floats, size: int) -> Floats:
    """Return (n, size, size), 1 where the reference shows the pixel too, else 0."""
    inside = [np.abs(zoom[:, k, None] * grid(size) + shift[:, k, None]) < 1 for k in (0, 1)]
    return np.asarray(inside[0][:, :, None] & inside[1][:, None, :], np.float32)


def _standard(images: Floats, weights: Floats) -> Floats:
    """Return images of mean 0 and deviation 1 where the weights are 1."""
    total = np.maximum(weights.sum((1, 2), keepdims=True), 1)
    images = images - (images * weights).sum((1, 2), keepdims=True) / total
    power = (images * images * weights).sum((1, 2), keepdims=True) / total
    return np.asarray(images / np.maximum(np.sqrt(power), 1e-3), np.float32)


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
