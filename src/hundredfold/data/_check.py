"""What is wrong with a data set, found before training: the whole list, not the first error."""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _scan
from hundredfold.data._descriptor import SIDE, thumbnails
from hundredfold.data._image import decode, dimensions
from hundredfold.data._kept import near_within
from hundredfold.data._progress import progress
from hundredfold.data._types import DataSet
from hundredfold.errors import DataError
from hundredfold.machine import cores

SIZE = 64  # pixels at which two files count as the same image
UNEVEN = 10  # times more images in one class than in another that deserve a word


@dataclass(frozen=True)
class Seen:
    """One image: where it is, or why it cannot be read. `sum` is a hash of its pixels."""

    part: str
    label: str
    name: str
    shape: tuple[int, int] = (0, 0)
    sum: str = ""
    reason: str = ""


Thumbnails = NDArray[np.uint8]


def check_folder(root: Path, cache: Path, parts: Iterable[str] | None = None) -> dict[str, Any]:
    """Read every image of a folder of class folders and report what is wrong with it.

    parts: those to look at; all where none are named. Near-duplicates are kept in the cache.

    Raises DataError where the folder has no parts and no classes at all.
    """
    found = _scan.layout(root)
    files = {part: _scan.classes(found, part) for part in parts or found.parts}
    jobs = [(p, c, f) for p, some in files.items() for c, many in some.items() for f in many]
    small = np.zeros((len(jobs), SIDE, SIDE, 3), np.uint8)
    text = f"reading {len(jobs):,} images of {root}"
    with (
        catch_warnings(),
        ThreadPoolExecutor(min(8, cores())) as pool,
        progress(text if len(jobs) >= 1000 else "", len(jobs), count=True) as advance,
    ):
        simplefilter("ignore")
        seen = list(pool.map(partial(_look, root, advance), jobs, small))
    counts = {p: {c: len(many) for c, many in some.items()} for p, some in files.items()}
    report = _report(root.resolve().name, counts, seen, small, cache)
    report["problems"] = _refused(root, files, {one.name for one in seen if one.reason})
    report["advice"] += _not_refused(files)
    return report


def check_set(data: DataSet, cache: Path) -> dict[str, Any]:
    """Report on a data set that can be loaded; its test part is read here, and only looked at."""
    seen: list[Seen] = []
    counts, small = {}, []
    for part, opened in data.parts.items():
        split = opened()
        many = dict.fromkeys(data.classes, 0)
        for row in split.indices:
            label = data.classes[split.labels[row]]
            many[label] += 1
            name = split.names[row] if split.names else f"{part}[{row}]"
            pixels = hashlib.sha256(split.pixels[row].tobytes()).hexdigest()
            seen.append(Seen(part, label, name, (data.size, data.size), pixels))
        counts[part] = many
        small.append(thumbnails(split.pixels, split.indices))
    return _report(data.name, counts, seen, np.concatenate(small), cache)


def _look(
    root: Path, advance: Callable[[int], object], job: tuple[str, str, Path], small: Thumbnails
) -> Seen:
    """Read one image, and leave its thumbnail in `small`."""
    part, label, file = job
    name = _scan.relative(root, file)
    try:
        pixels = decode(file, SIZE, name)
        shape = dimensions(file)
    except DataError as error:
        return Seen(part, label, name, reason=error.message.removeprefix(f"cannot read {name}: "))
    finally:
        advance(1)
    small[:] = thumbnails(pixels[None], np.zeros(1, np.int64))[0]
    told = hashlib.sha256(repr(shape).encode() + pixels.tobytes()).hexdigest()
    return Seen(part, label, name, shape, told)


def _refused(
    root: Path, files: Mapping[str, Mapping[str, list[Path]]], bad: Collection[str]
) -> list[str]:
    """Say why training would refuse the folder; single files that cannot be read are left out.

    bad: names of the files that cannot be read.
    """
    problems, train = [], files["train"]
    for name, some in train.items():
        if not some:
            problems.append(f"{name!r} has no training images")
        elif all(_scan.relative(root, file) in bad for file in some):
            problems.append(f"no training image of {name!r} can be read")
    if len(train) == 1:
        problems.append(f"{root} has one class only")
    if "validation" not in files:
        if train and max(map(len, train.values())) == 1:
            problems.append("every class has one image, so none can be spared for validation")
        return problems
    if not any(files["validation"].values()):
        problems.append("the validation part has no images")
    return problems + _unknown(files, "validation")


def _not_refused(files: Mapping[str, Mapping[str, list[Path]]]) -> list[str]:
    """Say what is wrong with the test part, which training never opens."""
    return [f"mend the test part before it is scored: {text}" for text in _unknown(files, "test")]


def _unknown(files: Mapping[str, Mapping[str, list[Path]]], part: str) -> list[str]:
    classes = files.get(part, {})
    unknown = sorted(c for c, some in classes.items() if some and c not in files["train"])
    return [f"{c!r} is in the {part} part and not in the training part" for c in unknown]


def _report(
    name: str,
    counts: Mapping[str, Mapping[str, int]],
    seen: list[Seen],
    small: Thumbnails,
    cache: Path,
) -> dict[str, Any]:
    bad = [s for s in seen if s.reason]
    good = [s for s in seen if not s.reason]
    train = counts["train"]
    held = [many for many in train.values() if many]
    report: dict[str, Any] = {
        "name": name,
        "images": {part: sum(many.values()) for part, many in counts.items()},
        "classes": {part: dict(many) for part, many in counts.items()},
        "bad": [{"file": s.name, "reason": s.reason} for s in bad],
        "empty": [c for c, many in train.items() if not many],
        "single": [c for c, many in train.items() if many == 1],
        "sizes": _sizes([s.shape for s in good]),
        "imbalance": max(held, default=1) / min(held, default=1),
        "alike_names": _alike({c for many in counts.values() for c in many}),
        "duplicates": _duplicates(good),
        "near": _near(seen, small, cache),
        "problems": [],
    }
    return report | {"advice": _advice(report)}


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
    """Return names that differ in case or in the form of Unicode only."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        groups[unicodedata.normalize("NFKC", name).casefold()].append(name)
    return [some for some in groups.values() if len(some) > 1]


def _duplicates(seen: Iterable[Seen]) -> dict[str, list[list[str]]]:
    """Group images with equal pixels: in one part, across parts, and in several classes."""
    groups: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        groups[one.sum].append(one)
    same = [some for some in groups.values() if len(some) > 1]
    return {
        "within": [n for some in same for n in _each_part(some)],
        "across": [[s.name for s in some] for some in same if len({s.part for s in some}) > 1],
        "contradicting": [
            [f"{s.name} ({s.label})" for s in some]
            for some in same
            if len({s.label for s in some}) > 1
        ],
    }


def _near(
    seen: list[Seen], small: Thumbnails, cache: Path
) -> dict[str, list[dict[str, Any]]] | None:
    """Pair images that are nearly and not exactly the same; None where they are too many."""
    rows = np.array([row for row, one in enumerate(seen) if not one.reason], np.int64)
    found = near_within(cache, small[rows])
    if found is None:
        return None
    pairs: dict[str, list[dict[str, Any]]] = {"within": [], "across": [], "contradicting": []}
    order = np.argsort(-found.agreement, kind="stable")
    for pair in order:
        a, b = seen[rows[found.rows[pair]]], seen[rows[found.known[pair]]]
        if a.sum == b.sum:
            continue
        agreed = round(float(found.agreement[pair]), 3)
        told: dict[str, Any] = {"files": [a.name, b.name], "agreement": agreed}
        pairs["within" if a.part == b.part else "across"].append(told)
        if a.label != b.label:
            pairs["contradicting"].append(told | {"classes": [a.label, b.label]})
    return pairs


def _each_part(some: list[Seen]) -> list[list[str]]:
    parts: dict[str, list[str]] = defaultdict(list)
    for one in some:
        parts[one.part].append(one.name)
    return [names for names in parts.values() if len(names) > 1]


def _advice(report: Mapping[str, Any]) -> list[str]:
    """Say what to do about what was found."""
    same, near = report["duplicates"], report["near"] or {}
    side = min(report["sizes"].get("median", [0]))
    uneven, better = report["imbalance"], min(side // 32 * 32, 224)
    told = [
        (report["bad"], "remove the unreadable files, or save them again as PNG or JPEG"),
        (report["empty"], "add images to the empty classes, or remove their folders"),
        (report["single"], "add images to the classes of one image: they cannot be validated"),
        (report["alike_names"], "merge or rename the classes whose names are almost the same"),
        (same["across"], "remove images that are in several parts: they make a score too good"),
        (near.get("across"), "look at the near-duplicates in several parts: they do so too"),
        (near.get("within"), "look at the near-duplicates: a validation cut may split such a pair"),
        (same["contradicting"], "decide to which class the images in several classes belong"),
        ("test" not in report["images"], "put a folder 'test' beside 'train', for a final score"),
        (uneven >= UNEVEN, f"classes are uneven ({uneven:.0f} to 1): look at recall per class"),
        (side >= 3 * 32, f"the images are large: image_folder(size={better}) keeps more of them"),
    ]
    return [text for found, text in told if found]
