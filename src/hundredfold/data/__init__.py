"""Data sets: one file each, decoded once, memory-mapped, with a digest. NumPy only."""

from dataclasses import replace
from pathlib import Path

from hundredfold import spec
from hundredfold.data._check import check_folder, check_set
from hundredfold.data._download import download
from hundredfold.data._files import fingerprint
from hundredfold.data._given import Indexed, given
from hundredfold.data._image import Picture, decode
from hundredfold.data._kept import unseen
from hundredfold.data._preview import examples, save_grid
from hundredfold.data._progress import progress
from hundredfold.data._split import limited, training
from hundredfold.data._types import DataSet, Given, Source, Split
from hundredfold.errors import UsageError

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
    "save_grid",
    "training",
    "unseen",
]


def place(text: str, source: Source) -> tuple[str, Source]:
    """Let the path of a folder stand for the images in it; a data set's name wins.

    Raises UsageError for a path that is not a folder.
    """
    folder = Path(text).expanduser()
    if text in spec.names(__name__) or not (folder.exists() or "/" in text):
        return text, source
    if not folder.is_dir():
        raise UsageError(f"{text} is not a folder", remedy="a folder of images, or cifar100")
    return "image_folder", replace(source, folder=folder)


def load(text: str, source: Source) -> DataSet:
    """Load a data set as a recipe names it: "cifar100", "digits(size=32)".

    Raises UsageError for an unknown name or option and DataError for data that are not there
    or cannot be used.
    """
    data: DataSet = spec.resolve(spec.parse(text), "hundredfold.data")(source)
    return data
