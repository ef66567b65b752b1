"""Data sets: one file each, decoded once, memory-mapped, with a digest. NumPy only."""

import logging
from dataclasses import replace
from pathlib import Path

from hundredfold import spec
from hundredfold.data._check import check_folder, check_set
from hundredfold.data._download import download
from hundredfold.data._files import fingerprint
from hundredfold.data._given import Indexed, given
from hundredfold.data._image import Picture, decode
from hundredfold.data._preview import examples, save_grid
from hundredfold.data._split import limited, training
from hundredfold.data._types import DataSet, Given, Source, Split
from hundredfold.data._unseen import unseen
from hundredfold.errors import UsageError
from hundredfold.progress_bar import progress

__all__ = [
    "DataSet",
    "Given",
    "Indexed",
    "Picture",
    "Source",
    "Split",
    "check_folder",
    "check_set",
    "decode",
    "download",
    "examples",
    "fingerprint",
    "given",
    "limited",
    "load",
    "place",
    "progress",
    "refuse_folder",
    "save_grid",
    "training",
    "unseen",
]

_LOG = logging.getLogger(__name__)


def place(text: str, source: Source) -> tuple[str, Source]:
    """Let the path of a folder stand for the images in it; a data set's name wins, aloud.

    Raises UsageError for a path that is not a folder.
    """
    folder = Path(text).expanduser()
    if text in spec.names(__name__):
        if folder.is_dir():
            own = f"the folder of that name is ./{text}"
            _LOG.warning("warning: %s is the data set that Hundredfold brings; %s", text, own)
        return text, source
    if not (folder.exists() or "/" in text):
        return text, source
    if not folder.is_dir():
        raise UsageError(f"{text} is not a folder", remedy="a folder of images, or cifar100")
    return "image_folder", replace(source, folder=folder)


def refuse_folder(dataset: DataSet, source: Source) -> None:
    """Raise UsageError where the user names a folder for a data set that reads none.

    A folder that the environment names is for other data sets.
    """
    if dataset.bundled and source.folder not in (None, Source().folder):
        raise UsageError(
            f"--data-dir {source.folder} does nothing for {dataset.name}, which needs no files",
            remedy=f"--data {dataset.name} alone, or --data {source.folder} for the images there",
        )


def load(chosen: str | spec.Part, source: Source) -> DataSet:
    """Load a data set as a recipe names it: "cifar100", "digits(size=32)".

    Raises UsageError for an unknown name or option and DataError for data that are not there
    or cannot be used.
    """
    data: DataSet = spec.resolve(chosen, "hundredfold.data")(source)
    return data
