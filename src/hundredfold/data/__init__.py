"""Data sets: one file each, decoded once, memory-mapped, with a digest. NumPy only."""

from hundredfold import call
from hundredfold.data._image import decode
from hundredfold.data._split import training
from hundredfold.data._types import DataSet, Source, Split

__all__ = ["DataSet", "Source", "Split", "decode", "load", "training"]


def load(text: str, source: Source) -> DataSet:
    """Load a data set as a recipe names it: "cifar100", "digits(size=32)".

    Raises UsageError for an unknown name or option and DataError for data that are not there
    or cannot be used.
    """
    data: DataSet = call.resolve(call.parse(text), "hundredfold.data")(source)
    return data
