"""Data sets: one file each, decoded once, memory-mapped, with a digest. NumPy only."""

import logging
from dataclasses import replace

from hundredfold import spec
from hundredfold.data._balance import balanced_order, class_weights
from hundredfold.data._check import check_folder, check_set
from hundredfold.data._corrections import pinned
from hundredfold.data._download import download
from hundredfold.data._files import fingerprint, reading
from hundredfold.data._image import Picture, Resize, decode, quietly, resize_of, whole
from hundredfold.data._in_memory import Indexed, in_memory
from hundredfold.data._packed import Packed, Pixels
from hundredfold.data._passed_over import images_below
from hundredfold.data._passed_over import sentences as passed_over_sentences
from hundredfold.data._preview import examples, save_grid
from hundredfold.data._sources import is_file_of_images, listing_of
from hundredfold.data._split import limited, split, training
from hundredfold.data._subset import for_validation
from hundredfold.data._survey import Survey, decode_rate, survey
from hundredfold.data._suspects import Suspect, write_suspects
from hundredfold.data._tables import is_table
from hundredfold.data._types import DataSet, InMemory, Source, Split
from hundredfold.data._unseen import unseen
from hundredfold.errors import UsageError
from hundredfold.paths import expanded
from hundredfold.progress_bar import progress

__all__ = [
    "DataSet",
    "InMemory",
    "Indexed",
    "Packed",
    "Picture",
    "Pixels",
    "Resize",
    "Source",
    "Split",
    "Survey",
    "Suspect",
    "balanced_order",
    "check_folder",
    "check_set",
    "class_weights",
    "decode",
    "decode_rate",
    "download",
    "examples",
    "fingerprint",
    "for_validation",
    "images_below",
    "in_memory",
    "is_own_images",
    "is_table",
    "limited",
    "listing_of",
    "load",
    "locate",
    "passed_over_sentences",
    "pin_labels",
    "progress",
    "quietly",
    "reading",
    "refuse_folder",
    "resize_of",
    "save_grid",
    "sizes_itself",
    "split",
    "survey",
    "training",
    "unseen",
    "whole",
    "write_suspects",
]

_LOG = logging.getLogger(__name__)


def locate(text: str, source: Source) -> tuple[str, Source]:
    """Return the data set and source that a text names: a data set, or images of the user's own.

    Images are a folder, an archive or a table; the folder of a source is then that of the images
    that the table names. Where a data set and a folder have the same name, the data set is used
    and a warning is logged. Raises UsageError for another file.
    """
    folder = expanded(text)
    if text in spec.names(__name__):
        if folder.is_dir():
            own = f"the folder of that name is ./{text}"
            _LOG.warning("warning: %s is the data set that ships with Hundredfold; %s", text, own)
        return text, source
    if not (folder.exists() or "/" in text) and not is_file_of_images(folder):
        return text, source
    if is_file_of_images(folder) and folder.is_file():
        images = source.folder if source.folder != Source().folder else None
        return "image_folder", replace(source, folder=folder, images=images)
    if not folder.is_dir():
        raise UsageError(
            f"{text} is not a folder",
            remedy="a folder, a .zip or .tar of class folders, a table such as labels.csv, or "
            "cifar100",
        )
    return "image_folder", replace(source, folder=folder)


def pin_labels(part: spec.Part, source: Source) -> tuple[spec.Part, Source]:
    """Return a data set's part with its file of corrected labels pinned by digest, and its source.

    Raises DataError where the file cannot be read.
    """
    labels = part.options.get("labels")
    if not is_own_images(part) or not labels:
        return part, source
    text, path = pinned(str(labels), source.cache)
    return part.with_options({"labels": text}), replace(source, labels=path or source.labels)


def is_own_images(part: spec.Part) -> bool:
    """Return whether a data set is images of the user's own, as files."""
    return not part.own and part.name == "image_folder"


def sizes_itself(part: spec.Part) -> bool:
    """Return whether a data set chooses the size of its images."""
    return is_own_images(part) and not part.options["size"]


def refuse_folder(dataset: DataSet, source: Source) -> None:
    """Raise UsageError where the user names a folder for a data set that reads none.

    A folder from HUNDREDFOLD_DATA is ignored here: it is meant for other data sets.
    """
    if dataset.bundled and source.folder not in (None, Source().folder):
        raise UsageError(
            f"--data-dir {source.folder} does nothing for {dataset.name}, which needs no files",
            remedy=f"--data {dataset.name} alone, or --data {source.folder} for the images there",
        )


def load(chosen: str | spec.Part, source: Source) -> DataSet:
    """Load a data set by its recipe text: "cifar100", "digits(size=32)".

    Raises UsageError for an unknown name or option. Raises DataError where the data are missing
    or cannot be used.
    """
    data: DataSet = spec.resolve(chosen, "hundredfold.data")(source)
    return data
