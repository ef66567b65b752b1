"""Can one property of the images predict the class, and do the parts differ in it?

A network may learn such a property in place of the class (a shortcut: Geirhos and others 2020,
arXiv:2004.07780). Where parts differ in one, their scores say less about each other (drift).
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import wording
from hundredfold.data._repeats import Image

FOLDS = 5
_BINS = (12, 200)  # fewest and most bins of a property; between them, two for each class
_DEVIATIONS = 3.0  # above chance: about one false finding in a hundred data sets of 7 properties
_GAIN = 0.2  # smallest gain over chance that is reported, as a fraction of the largest possible
_DISTANCE = 0.15  # smallest distance of two distributions that is reported
_SIGNIFICANT = 0.01  # probability of a false finding over all properties and pairs of parts
_FEWEST = 20  # images


def shortcuts(images: Sequence[Image]) -> list[dict[str, Any]]:
    """Return how well each single property predicts the class of training images.

    The classifier chooses, in each bin of values, the class that has the largest share of its
    images there. Its balanced accuracy is that on images of other folds. Chance exceeds `limit`
    in about one of 700 cases.
    """
    train = [image for image in images if image.part == "train" and image.measures]
    classes, labels = np.unique([image.label for image in train], return_inverse=True)
    counts = np.bincount(labels, minlength=len(classes))
    if len(train) < _FEWEST or len(classes) < 2:
        return []
    chance = 1 / len(classes)
    spread = math.sqrt(float(np.mean(1 / counts)) * chance * (1 - chance) / len(classes))
    limit = chance + _DEVIATIONS * spread
    enough = chance + _GAIN * (1 - chance)
    found: list[dict[str, Any]] = []
    for name, values in _columns(train):
        accuracy = _balanced_accuracy(_bins(values, len(classes)), labels, counts)
        found.append(
            {
                "property": name,
                "balanced_accuracy": round(accuracy, 4),
                "chance": round(chance, 4),
                "limit": round(limit, 4),
                "predicts": bool(accuracy > max(limit, enough)),
            }
        )
    return sorted(found, key=lambda fact: -fact["balanced_accuracy"])


def drift(images: Sequence[Image]) -> list[dict[str, Any]]:
    """Return how far the parts differ in each property.

    The distance is the largest difference of the distribution functions (Kolmogorov and Smirnov),
    for file types that of the shares. A difference counts where chance makes it, over all
    properties and pairs, in one of 100 cases (Bonferroni).
    """
    parts: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        if image.measures:
            parts[image.part].append(image)
    pairs = [(a, b) for a, b in combinations(parts, 2) if min(len(parts[a]), len(parts[b])) >= 2]
    found: list[dict[str, Any]] = []
    for a, b in pairs:
        other = dict(_columns(parts[b]))
        for name, values in _columns(parts[a]):
            if name in other:
                distance, p = _distance(values, other[name])
                found.append({"property": name, "parts": [a, b], "distance": distance, "p": p})
    for fact in found:
        fact["p"] = min(1.0, fact["p"] * len(found))
        fact["differs"] = bool(fact["p"] < _SIGNIFICANT and fact["distance"] >= _DISTANCE)
        fact["distance"] = round(fact["distance"], 4)
    return sorted(found, key=lambda fact: -fact["distance"])


def _columns(images: Sequence[Image]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield each property that is not the same for all images, with its values (n,)."""
    for name in images[0].measures:
        values = np.array([image.measures[name] for image in images])
        yield name, values


def _bins(values: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Return the bin of each value: one for each text, and for numbers by quantiles.

    A value that is common, and so is at a quantile, has a bin of its own.
    """
    if values.dtype.kind == "U":
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    count = int(np.clip(2 * classes, *_BINS))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]))
    own = (count + 1) * np.isin(values, edges)
    return np.asarray(np.searchsorted(edges, values, side="right") + own, np.int64)


def _balanced_accuracy(
    bins: NDArray[np.int64], labels: NDArray[np.int64], counts: NDArray[np.int64]
) -> float:
    fold = np.empty(len(labels), np.int64)
    order = np.lexsort((np.random.PCG64(0).random_raw(len(labels)), labels))
    fold[order] = np.arange(len(labels)) % FOLDS
    shape = (FOLDS, int(bins.max()) + 1, len(counts))
    each = np.zeros(shape)
    np.add.at(each, (fold, bins, labels), 1)
    others = each.sum(0) - each  # of the other folds
    shares = others / np.maximum(others.sum(1, keepdims=True), 1)
    predicted = shares.argmax(2)[fold, bins]
    right = np.bincount(labels, weights=predicted == labels, minlength=len(counts))
    return float(np.mean(right / counts))


def _distance(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """Return the distance of two samples, and its probability by chance."""
    if a.dtype.kind == "U":
        return _largest_share(a, b)
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    below = [np.searchsorted(sample, both, side="right") / len(sample) for sample in (a, b)]
    distance = float(np.abs(below[0] - below[1]).max())
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    x = (root + 0.12 + 0.11 / root) * distance  # Stephens 1970
    if x < 0.3:
        return distance, 1.0
    terms = [2 * (-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101)]
    return distance, min(max(sum(terms), 0.0), 1.0)


def _largest_share(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    names = np.unique(np.concatenate([a, b]))
    best, smallest = 0.0, 1.0
    for name in names:
        x, y = float(np.mean(a == name)), float(np.mean(b == name))
        pooled = (x * len(a) + y * len(b)) / (len(a) + len(b))
        spread = math.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / len(a) + 1 / len(b)))
        best = max(best, abs(x - y))
        smallest = min(smallest, math.erfc(abs(x - y) / spread / math.sqrt(2)))
    return best, min(1.0, smallest * len(names))


def advice(found: Sequence[Mapping[str, Any]], differing: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each property that predicts the class or differs between parts."""
    sentences = [
        f"the {fact['property']} alone predicts the class (balanced accuracy "
        f"{100 * fact['balanced_accuracy']:.0f} %, chance {100 * fact['chance']:.0f} %): a network "
        "may learn it in place of what the images show"
        for fact in found
        if fact["predicts"]
    ]
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for fact in differing:
        if fact["differs"]:
            pairs[fact["parts"][0], fact["parts"][1]].append(fact["property"])
    return sentences + [
        f"the {a} and {b} parts differ in {wording.listed(names)}: their scores may differ for it"
        for (a, b), names in pairs.items()
    ]
