"""What is wrong with a data set, found before training: the whole list, not the first error."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from hundredfold import duplicates
from hundredfold.data import _scan
from hundredfold.data._image import decode, dimensions
from hundredfold.data._repeats import Image, Thumbnails
from hundredfold.data._report import report
from hundredfold.data._types import DataSet
from hundredfold.errors import DataError
from hundredfold.machine import cores
from hundredfold.progress_bar import progress

SIZE = 64  # pixels at which two files count as the same image


def check_folder(root: Path, cache: Path, parts: Iterable[str] | None = None) -> dict[str, Any]:
    """Read every image of a folder of class folders and report what is wrong with it.

    parts: those to look at; all where none are named. Near-duplicates are kept in the cache.

    Raises DataError where the folder has no parts and no classes at all.
    """
    layout = _scan.layout(root)
    files = {part: _scan.classes(layout, part) for part in parts or layout.parts}
    jobs = [(p, c, f) for p, classes in files.items() for c, each in classes.items() for f in each]
    small = np.zeros((len(jobs), duplicates.SIDE, duplicates.SIDE, 3), np.uint8)
    text = f"reading {len(jobs):,} images of {root}"
    with (
        catch_warnings(),
        ThreadPoolExecutor(min(8, cores())) as pool,
        progress(text if len(jobs) >= 1000 else "", len(jobs), count=True) as advance,
    ):
        simplefilter("ignore")
        images = list(pool.map(partial(_look, root, advance), jobs, small))
    counts = {p: {c: len(each) for c, each in classes.items()} for p, classes in files.items()}
    facts = report(root.resolve().name, counts, images, small, cache)
    facts["problems"] = _refused(root, files, {image.name for image in images if image.reason})
    facts["advice"] += _not_refused(files)
    return facts


def check_set(data: DataSet, cache: Path) -> dict[str, Any]:
    """Report on a data set that can be loaded; its test part is read here, and only looked at."""
    images: list[Image] = []
    counts, small = {}, []
    for part, opened in data.parts.items():
        split = opened()
        classes = dict.fromkeys(data.classes, 0)
        for row in split.indices:
            label = data.classes[split.labels[row]]
            classes[label] += 1
            name = split.names[row] if split.names else f"{part}[{row}]"
            sha256 = hashlib.sha256(split.pixels[row].tobytes()).hexdigest()
            images.append(Image(part, label, name, (data.size, data.size), sha256))
        counts[part] = classes
        small.append(duplicates.thumbnails(split.pixels, split.indices))
    return report(data.name, counts, images, np.concatenate(small), cache)


def _look(
    root: Path, advance: Callable[[int], object], job: tuple[str, str, Path], small: Thumbnails
) -> Image:
    """Read one image, and leave its thumbnail in `small`."""
    part, label, file = job
    name = _scan.relative(root, file)
    try:
        pixels = decode(file, SIZE, name)
        shape = dimensions(file)
    except DataError as error:
        reason = error.message.removeprefix(f"cannot read {name}: ")
        return Image(part, label, name, reason=reason)
    finally:
        advance(1)
    small[:] = duplicates.thumbnails(pixels[None], np.zeros(1, np.int64))[0]
    sha256 = hashlib.sha256(repr(shape).encode() + pixels.tobytes()).hexdigest()
    return Image(part, label, name, shape, sha256)


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
