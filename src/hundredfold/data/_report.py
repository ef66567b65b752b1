"""The report of a data set check, from the checked images."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from hundredfold.data import _repeats, _shortcuts
from hundredfold.data._repeats import Image, Thumbnails

UNEVEN = 10  # ratio of the largest to the smallest class from which there is advice

_SAMPLES = 8  # images of each class that the page shows


def report(
    name: str,
    counts: Mapping[str, Mapping[str, int]],
    images: list[Image],
    thumbnails: Thumbnails,
    cache: Path,
) -> dict[str, Any]:
    """Return the report of a data set: its counts, its problems, and advice.

    counts:     part -> class -> number of images.
    thumbnails: (n, 32, 32, 3) uint8, one per image.
    """
    bad = [image for image in images if image.reason]
    good = [image for image in images if not image.reason]
    train = counts["train"]
    near, near_note = _repeats.nearly_equal(images, thumbnails, cache)
    filled = [count for count in train.values() if count]
    facts: dict[str, Any] = {
        "name": name,
        "images": {part: sum(classes.values()) for part, classes in counts.items()},
        "classes": {part: dict(classes) for part, classes in counts.items()},
        "bad": [{"file": image.name, "reason": image.reason} for image in bad],
        "empty": [c for c, count in train.items() if not count],
        "single": [c for c, count in train.items() if count == 1],
        "sizes": _sizes([image.shape for image in good]),
        "imbalance": max(filled, default=1) / min(filled, default=1),
        "alike_names": _alike({c for classes in counts.values() for c in classes}),
        "duplicates": _repeats.equal(good),
        "near": near,
        "near_note": near_note,
        "shortcuts": _shortcuts.shortcuts(good),
        "drift": _shortcuts.drift(good),
        "files": {
            "used": len(good),
            "left_out": [{"file": image.name, "reason": image.reason} for image in bad],
            "passed_over": {},
        },
        "notes": [],
        "samples": _samples(good),
        "problems": [f"{len(bad)} files cannot be read"] if bad else [],
    }
    hints = _shortcuts.advice(facts["shortcuts"], facts["drift"])
    return facts | {"advice": _advice(facts) + hints}


def _samples(images: Iterable[Image]) -> dict[str, list[str]]:
    """Return the names of some training images of each class, spread over its images."""
    names: dict[str, list[str]] = defaultdict(list)
    for image in images:
        if image.part == "train":
            names[image.label].append(image.name)
    return {c: some[:: max(1, len(some) // _SAMPLES)][:_SAMPLES] for c, some in names.items()}


def _sizes(shapes: list[tuple[int, int]]) -> dict[str, list[int]]:
    if not shapes:
        return {}
    ordered = sorted(shapes, key=lambda shape: shape[0] * shape[1])
    return {
        "smallest": list(ordered[0]),
        "median": [int(median(side)) for side in zip(*shapes, strict=True)],
        "largest": list(ordered[-1]),
    }


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Return groups of names that differ only in case or in Unicode form."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        groups[unicodedata.normalize("NFKC", name).casefold()].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _advice(facts: Mapping[str, Any]) -> list[str]:
    """Return one piece of advice for each problem."""
    same, near = facts["duplicates"], facts["near"] or {}
    side = min(facts["sizes"].get("median", [0]))
    uneven, better = facts["imbalance"], min(side // 32 * 32, 224)
    train = facts["classes"]["train"]
    largest = max(train, key=lambda name: train[name], default="")
    most = train.get(largest, 0) / max(sum(train.values()), 1)
    advice = [
        (facts["bad"], "remove the unreadable files, or save them again as PNG or JPEG"),
        (facts["empty"], "add images to the empty classes, or remove their folders"),
        (facts["single"], "add images to the classes of one image: they cannot be validated"),
        (facts["alike_names"], "merge or rename the classes whose names are almost the same"),
        (same["across"], "remove images that are in several parts: they make scores too high"),
        (near.get("across"), "check the near-duplicates in several parts: so do they"),
        (near.get("within"), "check the near-duplicates: a validation split may separate a pair"),
        (same["contradicting"], "decide to which class the images in several classes belong"),
        ("test" not in facts["images"], "put a folder 'test' beside 'train', for a final score"),
        (
            uneven >= UNEVEN,
            f"classes are imbalanced ({uneven:.0f} to 1): train with --balance "
            "weights or sample too, and check recall per class",
        ),
        (
            most > max(0.5, 1.25 / max(len(train), 1)),
            f"{largest!r} has {most:.0%} of the training images: "
            "always guessing it is right as often, so compare balanced accuracy",
        ),
        (side >= 3 * 32, f"the images are large: image_folder(size={better}) keeps more of them"),
    ]
    return [text for reason, text in advice if reason]
