"""Whether two aligned pictures show the same shot: a second opinion on pairs that agree somewhat.

Nine measurements of a pair go into a logistic regression. They tell copies that were processed
from pictures that are only much alike, such as two bottles or two apples on one background:

- what a filter of 3 x 3 pixels cannot explain of one picture by the other;
- correlations of brightness, of colour edges and of coarse edges;
- the worst parts of the pictures: another label on the same bottle;
- how much detail there is, and how much of the picture it fills: plain shapes agree by chance;
- the difference of the mean colours.

The weights are fitted to 732 pairs of training images of CIFAR-100, judged by eye. No test image
takes part.
"""

import numpy as np

from hundredfold.duplicates._agree import centred, correlation, filled_share
from hundredfold.duplicates._lines import blurred
from hundredfold.duplicates._thumbnails import Floats

_WEIGHTS = np.array([1.79, 3.04, 3.19, 1.22, 2.63, 4.85, -1.1, 0.037, 1.1], np.float32)
_BIAS = 4.27  # at a logit of 0, 95 % of such pairs of training images showed the same shot
_SLOPE = 0.25  # of the Fisher transform of the result, by the regression's logit
_MIDDLE = 0.973  # Fisher transform of 0.75, where both are equally likely
_MOST = 0.995  # correlation above which larger ones count alike
_BORDER = 3  # pixels at each edge without brightness
_EDGE = 1.5  # covariance of edges, in grey levels squared, that counts as not agreeing
_RIDGE = 1e-3  # of the filter, as a fraction of its mean power
_WINDOW, _STEP = 16, 8  # pixels, of the parts that are compared
_STILL = 40.0  # power of a part, in that of the mean pixel, that counts as agreeing
_WORST = 2  # parts that may disagree
_ENERGY = 0.15  # of the mean pixel's power, from which a pixel has detail


def same(images: Floats, references: Floats, overlap: Floats) -> Floats:
    """Return (n,) in [-1, 1], from 0.75 on where planes (n, 3, 32, 32) likely show one shot.

    references: are laid over the images. overlap: (n, 32, 32), 1 where both show a pixel.
    """
    logits = evidence(images, references, overlap) @ _WEIGHTS + _BIAS
    return np.asarray(np.tanh(_MIDDLE + _SLOPE * logits), np.float32)


def evidence(images: Floats, references: Floats, overlap: Floats) -> Floats:
    """Return (n, 9), the measurements of pairs of planes; larger speaks for the same shot."""
    grey, other = images[:, 0], references[:, 0]
    inner = overlap.copy()
    for edge in (slice(_BORDER), slice(32 - _BORDER, 32)):
        inner[:, edge], inner[:, :, edge] = 0, 0
    soft, other_soft = blurred(images), blurred(references)
    coarse, other_coarse = (_thrice(x[:, 0]) for x in (soft, other_soft))
    details = grey - soft[:, 0], other - other_soft[:, 0]
    powers = [np.sqrt(_variance(x, overlap) + 1) for x in (*details, grey, other)]
    bands = [_standardised(x * overlap, overlap) for x in (grey - coarse, other - other_coarse)]
    energy = np.maximum(*(blurred(x * x) for x in bands)) > _ENERGY
    colours = [_edges(images[:, k], references[:, k], overlap) for k in (1, 2)]
    columns = (
        np.log(filled_share(*details, grey, other, overlap)),
        0.5 * np.log(powers[0] * powers[1] / (powers[2] * powers[3])),
        _fisher(correlation(grey, other, inner)),
        -np.log1p(np.maximum(_left(grey, other, overlap), _left(other, grey, overlap))),
        _fisher(np.mean(colours, axis=0)),
        np.log(energy.mean((1, 2)) + 0.02),
        _fisher(_edges(coarse, other_coarse, overlap)),
        -_mean_difference(soft[:, 1:], other_soft[:, 1:], overlap),
        _fisher(_worst(*bands)),
    )
    return np.stack(columns, 1).astype(np.float32)


def _standardised(images: Floats, overlap: Floats) -> Floats:
    """Return images over the root of their mean power."""
    power = _power(images, overlap)[:, None, None]
    return np.asarray(images / np.sqrt(power + 1), np.float32)


def _left(images: Floats, references: Floats, overlap: Floats) -> Floats:
    """Return (n,): what a filter of 3 x 3 pixels leaves of the images, in grey levels."""
    padded = np.pad(references, ((0, 0), (1, 1), (1, 1)), "edge")
    moved = [padded[:, y : y + 32, x : x + 32] for y in range(3) for x in range(3)]
    rows = np.stack([centred(x, overlap).reshape(len(x), -1) for x in moved], 1)
    goal = centred(images, overlap).reshape(len(images), -1, 1)
    normal = rows @ rows.swapaxes(1, 2)
    ridge = np.trace(normal, axis1=1, axis2=2) / 9 * _RIDGE + 1e-3
    normal += ridge[:, None, None] * np.eye(9, dtype=np.float32)
    left = goal - rows.swapaxes(1, 2) @ np.linalg.solve(normal, rows @ goal)
    pixels = np.maximum(overlap.sum((1, 2)), 1)
    return np.asarray(np.sqrt((left * left).sum((1, 2)) / pixels), np.float32)


def _edges(images: Floats, references: Floats, overlap: Floats) -> Floats:
    """Return the mean correlation (n,) of changes down and across; faint ones count less."""
    total = np.zeros(len(images), np.float32)
    for axis in (1, 2):
        one, other = (centred(np.gradient(x, axis=axis), overlap) for x in (images, references))
        power = (_power(one, overlap) + _EDGE) * (_power(other, overlap) + _EDGE)
        total += _power(one, overlap, other) / np.sqrt(power)
    return np.asarray(total / 2, np.float32)


def _worst(images: Floats, references: Floats) -> Floats:
    """Return the correlation (n,) of the worst part but _WORST; plain parts agree."""
    starts = range(0, 32 - _WINDOW + 1, _STEP)
    parts = []
    for down in starts:
        for across in starts:
            part = np.s_[:, down : down + _WINDOW, across : across + _WINDOW]
            one, other = images[part], references[part]
            product, *powers = ((x * y).sum((1, 2)) for x, y in _pairs(one, other))
            parts.append((product + _STILL) / (np.sqrt(powers[0] * powers[1]) + _STILL))
    return np.asarray(np.partition(np.stack(parts, 1), _WORST, axis=1)[:, _WORST], np.float32)


def _pairs(one: Floats, other: Floats) -> tuple[tuple[Floats, Floats], ...]:
    return (one, other), (one, one), (other, other)


def _mean_difference(images: Floats, references: Floats, overlap: Floats) -> Floats:
    """Return the larger difference (n,) of the means of planes (n, planes, 32, 32)."""
    pixels = np.maximum(overlap.sum((1, 2)), 1)[:, None]
    means = ((images - references) * overlap[:, None]).sum((2, 3)) / pixels
    return np.asarray(np.abs(means).max(1), np.float32)


def _thrice(images: Floats) -> Floats:
    return blurred(blurred(blurred(images)))


def _power(images: Floats, overlap: Floats, others: Floats | None = None) -> Floats:
    """Return (n,): the mean product of images with themselves or with others, per pixel."""
    product = images * (images if others is None else others)
    return np.asarray(product.sum((1, 2)) / np.maximum(overlap.sum((1, 2)), 1), np.float32)


def _variance(images: Floats, overlap: Floats) -> Floats:
    return _power(centred(images, overlap), overlap)


def _fisher(correlations: Floats) -> Floats:
    return np.asarray(np.arctanh(np.clip(correlations, -0.98, _MOST)), np.float32)
