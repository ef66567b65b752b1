"""How well two images agree when one is laid over the other as exactly as it goes.

A shift and a zoom are found by Gauss-Newton steps on the squared difference (Lucas and Kanade
1981; the inverse compositional form of Baker and Matthews 2004), first the shift at 16 pixels,
then both at 16 and at 32. Brightness and contrast are left free.
"""

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._lines import grid, sampled
from hundredfold.duplicates._thumbnails import SIDE, Floats

_FIT = 0.75  # correlation at 16 pixels below which a pair is given up
_BORDER = 1 / 11  # fraction of the side, at each edge, that is not looked at while registering
_DAMPING = 0.1
_FARTHEST = 0.4  # shift, in half sides
_ZOOMS = (0.7, 1.4)
_SMOOTH = np.array([1, 4, 6, 4, 1], np.float32) / 16


def shifted(
    mine: NDArray[np.uint8], theirs: NDArray[np.uint8], zoom: Floats
) -> tuple[Floats, Floats]:
    """Return the shift (n, 2) of pairs of images (n, 32, 32) at 16 pixels, and how well it fits.

    zoom: a guess of the fraction of their side that mine show.
    """
    shift = np.zeros((len(mine), 2), np.float32)
    one, other = (_half(grey.astype(np.float32)) for grey in (mine, theirs))
    return _moved(one, other, zoom, shift, 3, free=False)[1:]


def agreement(
    mine: NDArray[np.uint8], theirs: NDArray[np.uint8], zoom: Floats, shift: Floats
) -> Floats:
    """Return (n,) in [-1, 1]: how far pairs of images (n, 32, 32) show the same picture.

    It is the mean of two correlations, of the brightness and of its fine detail, over what
    both show. Unlike pictures of the same kind agree in the first and not in the second.
    """
    agreed = np.full(len(mine), -1, np.float32)
    one, other = mine.astype(np.float32), theirs.astype(np.float32)
    zoom, shift, fits = _moved(_half(one), _half(other), zoom, shift, 4, free=True)
    live = np.flatnonzero(fits > _FIT)
    if len(live):
        one, other = one[live], other[live]
        zoom, shift, _ = _moved(one, other, zoom[live], shift[live], 3, free=True)
        agreed[live] = _alike(one, other, zoom, shift)
    return agreed


def _moved(
    mine: Floats, theirs: Floats, zoom: Floats, shift: Floats, steps: int, *, free: bool
) -> tuple[Floats, Floats, Floats]:
    """Take Gauss-Newton steps; return zoom, shift (down, across) and the correlations."""
    count, size = mine.shape[:2]
    border = round(size * _BORDER)
    cut = (slice(None), *(slice(border, size - border),) * 2)
    goal = _standard(mine[cut]).reshape(count, -1, 1)
    spread = np.maximum(mine[cut].std((1, 2), keepdims=True), 1e-3)
    down, across = (np.gradient(mine, axis=axis)[cut] * (size / 2) / spread for axis in (1, 2))
    changes = [down, across]
    if free:
        at = grid(size, border)
        changes.append(down * at[:, None] + across * at)
    solve = _solver(np.stack(changes, 1).reshape(count, len(changes), -1), goal)
    for _ in range(steps):
        error = _standard(_laid(theirs, zoom, shift, border)).reshape(count, -1, 1) - goal
        step = np.clip((solve @ error)[:, :, 0], -0.12, 0.12)
        grown = 1 + step[:, 2] if free else np.ones(count, np.float32)
        shift = shift - (zoom / grown)[:, None] * step[:, :2]
        shift = np.clip(shift, -_FARTHEST, _FARTHEST).astype(np.float32)
        zoom = np.clip(zoom / grown, *_ZOOMS).astype(np.float32)
    laid = _standard(_laid(theirs, zoom, shift, border)).reshape(count, -1)
    return zoom, shift, np.asarray((laid * goal[:, :, 0]).mean(1), np.float32)


def _solver(changes: Floats, goal: Floats) -> Floats:
    """Return (n, p, pixels): what turns an error image into a step of p parameters."""
    changes = changes - changes.mean(2, keepdims=True)
    changes -= (changes @ goal) / goal.shape[1] * goal.swapaxes(1, 2)  # contrast is free
    normal = changes @ changes.swapaxes(1, 2)
    parameters = normal.shape[1]
    scale = np.trace(normal[:, :2, :2], axis1=1, axis2=2)[:, None, None] / 2
    damping = np.diag([_DAMPING] * 2 + [4 * _DAMPING] * (parameters - 2)).astype(np.float32)
    normal += damping * scale + 1e-3 * np.eye(parameters, dtype=np.float32)
    return np.asarray(np.linalg.inv(normal) @ changes, np.float32)


def _alike(mine: Floats, theirs: Floats, zoom: Floats, shift: Floats) -> Floats:
    laid = _laid(theirs, zoom, shift, 0)
    inside = [np.abs(zoom[:, None] * grid(SIDE) + shift[:, k, None]) < 1 for k in (0, 1)]
    both = (inside[0][:, :, None] & inside[1][:, None, :]).astype(np.float32)
    whole = _correlation(mine, laid, both)
    fine = _correlation(_detail(mine), _detail(laid), both)
    return np.asarray((whole + fine) / 2, np.float32)


def _laid(theirs: Floats, zoom: Floats, shift: Floats, border: int) -> Floats:
    size = theirs.shape[1]
    down, across = (sampled(zoom, shift[:, k], size, border) for k in (0, 1))
    return np.asarray(down @ theirs @ across.swapaxes(1, 2), np.float32)


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
    """Return what a small blur takes away."""
    blur = sum(
        weight * np.eye(SIDE + 4, dtype=np.float32)[offset : offset + SIDE]
        for offset, weight in enumerate(_SMOOTH)
    )
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)), "edge")
    return np.asarray(images - blur @ padded @ np.transpose(blur), np.float32)


def _half(images: Floats) -> Floats:
    count, size = images.shape[:2]
    return np.asarray(images.reshape(count, size // 2, 2, size // 2, 2).mean((2, 4)), np.float32)
