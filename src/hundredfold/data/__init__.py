"""Data sets: one file each, decoded once, memory-mapped, with a digest. NumPy only."""

import logging
from dataclasses import replace
from pathlib import Path

from hundredfold import spec
from hundredfold.data._balance import balanced_order, class_weights
from hundredfold.data._check import check_folder, check_set
from hundredfold.data._download import download
from hundredfold.data._files import fingerprint
from hundredfold.data._image import Picture, decode, whole
from hundredfold.data._in_memory import Indexed, in_memory
from hundredfold.data._packed import Packed, Pixels
from hundredfold.data._preview import examples, save_grid
from hundredfold.data._split import limited, split, training
from hundredfold.data._survey import Survey, decode_rate, survey
from hundredfold.data._suspects import Suspect, write_suspects
from hundredfold.data._types import DataSet, InMemory, Source, Split
from hundredfold.data._unseen import unseen
from hundredfold.errors import UsageError
from hundredfold.progress_bar import progress

__all__ = [
    "DataSet",
    "InMemory",
    "Indexed",
    "Packed",
    "Picture",
    "Pixels",
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
    "in_memory",
    "limited",
    "load",
    "locate",
    "progress",
    "refuse_folder",
    "save_grid",
    "split",
    "survey",
    "training",
    "unseen",
    "whole",
    "write_suspects",
]

_LOG = logging.getLogger(__name__)


def locate(text: str, source: Source) -> tuple[str, Source]:
    """Return the data set and source that a text names: a data set, or a folder of images.

    Where a data set and a folder have the same name, the data set is used and a warning is
    logged. Raises UsageError for a path that is not a folder.
    """
    folder = Path(text).expanduser()
    if text in spec.names(__name__):
        if folder.is_dir():
            own = f"the folder of that name is ./{text}"
            _LOG.warning("warning: %s is the data set that ships with Hundredfold; %s", text, own)
        return text, source
    if not (folder.exists() or "/" in text):
        return text, source
    if not folder.is_dir():
        raise UsageError(f"{text} is not a folder", remedy="a folder of images, or cifar100")
    return "image_folder", replace(source, folder=folder)


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
