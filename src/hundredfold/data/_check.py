"""Check a data set before training: report every problem, not only the first."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from hundredfold import duplicates
from hundredfold.data import _decoding, _notes, _scan, _sources
from hundredfold.data._image import decode, dimensions
from hundredfold.data._listing import Listing
from hundredfold.data._measure import file_measures, measures
from hundredfold.data._passed_over import sentences
from hundredfold.data._repeats import Image, Thumbnails
from hundredfold.data._report import report
from hundredfold.data._types import DataSet, Source
from hundredfold.data._walk import Entry
from hundredfold.errors import DataError
from hundredfold.progress_bar import progress

SIZE = 64  # pixels; files that decode to equal pixels at this size are the same image


def check_folder(
    root: Path,
    cache: Path,
    parts: Iterable[str] | None = None,
    *,
    listing: Listing | None = None,
) -> dict[str, Any]:
    """Read every image of a folder of class folders and report the problems.

    cache: folder in which near-duplicates are cached.
    parts: the parts to check ("train", "validation", "test"); None checks all.
    listing: of the images, where they do not lie in class folders; root is then what it was
        made from.

    Raises DataError where the folder has neither parts nor classes.
    """
    listing = listing or _sources.listed(Source(folder=root, cache=cache), _sources.Options())
    files = {part: listing.read(part) for part in parts or listing.where}
    jobs = [
        (part, label, file)
        for part, classes in files.items()
        for label, class_files in classes.items()
        for file in class_files
    ]
    thumbnails = np.zeros((len(jobs), duplicates.SIDE, duplicates.SIDE, 3), np.uint8)
    text = f"reading {len(jobs):,} images of {root}"
    with (
        catch_warnings(),
        ThreadPoolExecutor(_decoding.threads()) as pool,
        progress(text if len(jobs) >= 1000 else "", len(jobs), count=True) as advance,
    ):
        simplefilter("ignore")
        images = list(pool.map(partial(_read_image, listing.root, advance), jobs, thumbnails))
    counts = {
        part: {label: len(class_files) for label, class_files in classes.items()}
        for part, classes in files.items()
    }
    facts = report(_sources.name_of(root), counts, images, thumbnails, cache)
    facts["files"]["passed_over"] = passed_over = dict(listing.passed_over())
    train = [file for some in files.get("train", {}).values() for file in some]
    said = (*map(_scan.shown, listing.notes), *sentences(passed_over))
    facts["notes"] = [*said, *_notes.dark(train)]
    facts["problems"] = _refused(
        listing.root, files, {image.name for image in images if image.reason}
    )
    facts["advice"] += _not_refused(files)
    return facts


def check_set(data: DataSet, cache: Path) -> dict[str, Any]:
    """Report the problems of a data set that can be loaded.

    The test part is read too, but nothing is trained or scored on it.
    """
    images: list[Image] = []
    counts, thumbnails = {}, []
    for part, opened in data.parts.items():
        split = opened()
        classes = dict.fromkeys(data.classes, 0)
        for row in split.indices:
            label = data.classes[split.labels[row]]
            classes[label] += 1
            name = split.names[row] if split.names else f"{part}[{row}]"
            sha256 = hashlib.sha256(split.pixels[row].tobytes()).hexdigest()
            pixels = split.pixels[row]
            shape = (pixels.shape[1], pixels.shape[0])
            images.append(Image(part, label, name, shape, sha256, measures=measures(pixels)))
        counts[part] = classes
        thumbnails.append(duplicates.thumbnails(split.pixels, split.indices))
    return report(data.name, counts, images, np.concatenate(thumbnails), cache)


def _read_image(
    root: Entry,
    advance: Callable[[int], object],
    job: tuple[str, str, Entry],
    thumbnail: Thumbnails,
) -> Image:
    """Read one image, and write its thumbnail (32, 32, 3) into `thumbnail`."""
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
    thumbnail[:] = duplicates.thumbnails(pixels[None], np.zeros(1, np.int64))[0]
    sha256 = hashlib.sha256(repr(shape).encode() + pixels.tobytes()).hexdigest()
    facts = measures(pixels) | file_measures(file, shape)
    return Image(part, label, name, shape, sha256, measures=facts)


def _refused(
    root: Entry, files: Mapping[str, Mapping[str, list[Entry]]], bad: Collection[str]
) -> list[str]:
    """Return the reasons for which training would refuse the folder.

    Single unreadable files are no such reason: training leaves them out. bad: their names.
    """
    problems, train = [], files["train"]
    for name, files_of_class in train.items():
        if not files_of_class:
            problems.append(f"{name!r} has no training images")
        elif all(_scan.relative(root, file) in bad for file in files_of_class):
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


def _not_refused(files: Mapping[str, Mapping[str, list[Entry]]]) -> list[str]:
    """Return the problems of the test part, which training never opens."""
    return [f"fix the test part before it is scored: {text}" for text in _unknown(files, "test")]


def _unknown(files: Mapping[str, Mapping[str, list[Entry]]], part: str) -> list[str]:
    classes = files.get(part, {})
    unknown = sorted(c for c, images in classes.items() if images and c not in files["train"])
    return [f"{c!r} is in the {part} part and not in the training part" for c in unknown]
