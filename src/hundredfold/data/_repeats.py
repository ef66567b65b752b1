"""Duplicates in a data set: images with equal pixels, and near-duplicates."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import duplicates
from hundredfold.data._measure import Measures

_STRICT = 0.95  # threshold above which shifted or cropped copies may be missed
Thumbnails = NDArray[np.uint8]


@dataclass(frozen=True)
class Image:
    """One checked image.

    shape:  (width, height) in pixels.
    sha256: of its pixels, in hex.
    measures: its properties, as `_measure` returns them.
    reason: why it cannot be read; "" where it can.
    """

    part: str
    label: str
    name: str
    shape: tuple[int, int] = (0, 0)
    sha256: str = ""
    reason: str = ""
    measures: Measures = field(default_factory=dict)


def equal(images: Iterable[Image]) -> dict[str, list[list[str]]]:
    """Return groups of images with equal pixels: within a part, across parts, across classes."""
    groups: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        groups[image.sha256].append(image)
    same = [group for group in groups.values() if len(group) > 1]
    return {
        "within": [names for group in same for names in _each_part(group)],
        "across": [[i.name for i in group] for group in same if len({i.part for i in group}) > 1],
        "contradicting": [
            [f"{i.name} ({i.label})" for i in group]
            for group in same
            if len({i.label for i in group}) > 1
        ],
    }


def nearly_equal(
    images: list[Image], thumbnails: Thumbnails, cache: Path
) -> tuple[dict[str, list[dict[str, Any]]] | None, str]:
    """Return pairs of near-duplicates without equal pixels, and a note on the search.

    The pairs are None where there are too many images, or where different pictures are too alike.
    The note says so, and "" is the usual case.

    thumbnails: (n, 32, 32, 3) uint8, one per image.
    """
    rows = np.array([row for row, image in enumerate(images) if not image.reason], np.int64)
    near = duplicates.find_within(cache, thumbnails[rows])
    if near is None:
        return None, "there are too many images to compare"
    if near.too_alike:
        return None, "the images are too alike to tell copies from different pictures"
    pairs: dict[str, list[dict[str, Any]]] = {"within": [], "across": [], "contradicting": []}
    for number in np.argsort(-near.agreement, kind="stable"):
        a, b = images[rows[near.rows[number]]], images[rows[near.reference[number]]]
        if a.sha256 == b.sha256:
            continue
        agreement = round(float(near.agreement[number]), 3)
        pair: dict[str, Any] = {"files": [a.name, b.name], "agreement": agreement}
        pairs["within" if a.part == b.part else "across"].append(pair)
        if a.label != b.label:
            pairs["contradicting"].append(pair | {"classes": [a.label, b.label]})
    return pairs, _note(near.threshold)


def _note(threshold: float) -> str:
    """Return a note where different pictures of a set are so alike that changed copies are lost."""
    if threshold <= _STRICT:
        return ""
    return f"the images are alike, so only copies that agree over {threshold:.3f} are listed"


def _each_part(group: list[Image]) -> list[list[str]]:
    parts: dict[str, list[str]] = defaultdict(list)
    for image in group:
        parts[image.part].append(image.name)
    return [names for names in parts.values() if len(names) > 1]
