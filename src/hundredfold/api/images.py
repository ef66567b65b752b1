"""Find the images of a training, in files or in memory, and check them before training."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import data as sets
from hundredfold import spec
from hundredfold.api import inspection
from hundredfold.api.options import Data, File, home, path
from hundredfold.data import DataSet, Source
from hundredfold.run import Run

_ARRAYS = "arrays"
_ROWS, _COLUMNS = 8, 9  # images of a preview


def source_in(data_dir: File | None) -> Source:
    """Return the source of a data folder; None takes the folder of HUNDREDFOLD_DATA."""
    folder = path(data_dir)
    return Source(folder=folder) if folder else Source()


def resolve_data(data: Data, source: Source) -> tuple[str, Source]:
    """Return the recipe's `data` text and the source of data.

    data: the name of a data set; a folder, an archive or a table of images; or images in memory.

    Raises UsageError for another file, and DataError for unusable images.
    """
    if isinstance(data, str | os.PathLike):
        return sets.locate(os.fspath(data), source)
    return _ARRAYS, replace(source, folder=None, in_memory=sets.in_memory(data))


def source_of(run: Run, data: Data | None, data_dir: File | None, part: str = "train") -> Source:
    """Return the source of a run's data: `data`, else `data_dir`, else the folder of training.

    part: the part that images in memory are, "train" or "test".
    """
    facts = run.info["data"]
    if data is not None and not isinstance(data, str | os.PathLike):
        images = sets.in_memory(data, facts["classes"], part, facts["size"])
        return Source(folder=None, in_memory=images)
    if data is not None:
        return sets.locate(os.fspath(data), source_in(data_dir))[1].as_before(facts)
    if data_dir is None and facts.get("folder"):
        return Source(folder=Path(facts["folder"])).as_before(facts)
    return source_in(data_dir).as_before(facts)


def fetch(name: str, *, data_dir: File | None = None) -> dict[str, Any]:
    """Download, check and decode a data set, so that training starts immediately.

    Returns its name, number of classes, size in pixels, images per part, digest and cache folder.
    Raises UsageError for an unknown name, and DataError where the data cannot be had.
    """
    source = source_in(data_dir)
    data = sets.load(name, source)
    sets.refuse_folder(data, source)
    return {
        "name": data.name,
        "classes": len(data.classes),
        "size": data.size.plain,
        "images": {part: len(opened()) for part, opened in data.parts.items()},
        "digest": data.digest,
        "cache": str(source.cache),
    }


def check(
    data: Data,
    /,
    *,
    data_dir: File | None = None,
    augment: str = "",
    preview: File | None = None,
    html: bool | File | None = None,
    suspects: bool | File | None = None,
    image_column: str = "",
    label_column: str = "",
    label_pattern: str = "",
    group: str = "",
    labels: File = "",
) -> dict[str, Any]:
    """Check data before training: unreadable files, empty classes, duplicates and more.

    data: a folder, an archive or a table of images, the name of a data set, or images in memory,
        as for `train`.
    data_dir: folder of the data set, if not in the cache; of the images that a table names.
    augment: an augmentation such as "pad_crop(pixels=4) | flip", shown in `preview`.
    preview: path of a PNG file for examples; defaults to preview.png with an augmentation.
    html: path of a page with pictures to write; True takes check-NAME.html.
    suspects: path of a CSV file to write: the images whose label is most likely wrong, first. True
        takes suspects-NAME.csv. The test part is read too, and counts as no evaluation.
    image_column, label_column, label_pattern, group, labels: as for `train`.

    Returns the report: "images", "classes", "bad", "duplicates", "problems", "advice" and more.
    Training would refuse data with "problems". Raises UsageError for an unknown data set, and
    DataError for data that cannot be read at all.
    """
    chain = spec.chain(augment, "hundredfold.augment")
    text, source = resolve_data(data, source_in(data_dir))
    chosen = {"image_column": image_column, "label_column": label_column, "group": group,
              "label_pattern": label_pattern, "labels": home(labels)}  # fmt: skip
    own = {option: value for option, value in chosen.items() if value}
    part = spec.part(text, "hundredfold.data")
    part = part.with_options(own) if own else part
    folder = _folder(text, source)
    name = folder.resolve().name if folder else part.name
    files = inspection.destinations(source, name, html, suspects)
    report = inspection.inspect(str(part), source, _checked(part, source), files)
    if (chain or preview) and not report["problems"]:
        report["preview"] = str(path(preview) or Path("preview.png"))
        sets.save_grid(_cells(sets.load(part, source), chain), Path(report["preview"]))
    return report


def _checked(part: spec.Part, source: Source) -> dict[str, Any]:
    if sets.is_own_images(part) and source.folder is not None:
        with sets.reading():
            listing = sets.listing_of(part.options, source)
        return sets.check_folder(source.folder, source.cache, listing=listing)
    data = sets.load(part, source)
    sets.refuse_folder(data, source)
    return sets.check_set(data, source.cache)


def _folder(text: str, source: Source) -> Path | None:
    """Return the folder whose class folders are checked; None for other data sets."""
    return source.folder if spec.parse(text).name == "image_folder" else None


def _cells(data: DataSet, chain: spec.Chain) -> NDArray[np.uint8]:
    """Return (rows, columns, height, width, 3): an image and its augmentations in each row.

    Without an augmentation, a row has several images of one class.
    """
    if not chain:
        return sets.examples(data.parts["train"](), _ROWS, _COLUMNS)
    import torch

    from hundredfold import augment

    first = sets.examples(data.parts["train"](), _ROWS, 1)[:, 0]
    images = torch.from_numpy(first).permute(0, 3, 1, 2)  # (rows, 3, height, width), channels-last
    labels = torch.eye(len(first))
    change = augment.pipeline(chain)
    columns = [images]
    for column in range(1, _COLUMNS):
        columns.append(change(images, labels, torch.Generator().manual_seed(column))[0])
    return np.asarray(torch.stack(columns, dim=1).permute(0, 1, 3, 4, 2))
