"""Write files of weights reproducibly, and read them without trusting them.

    .safetensors           a header of names, dtypes and shapes, then the numbers
    .pt .pth .bin .ckpt    torch's zip format, or the one before 1.6; the pickle is interpreted
                           here, and no code that it names runs

Reading has two steps. `opened` reads the declared contents, a few MB at most, and checks them
against the file's size. `Contents.tensors` then reads tensors by name, after the caller has
compared their shapes. So memory is allocated for expected tensors only, never for what a file
declares. No other file is opened, no code runs, and the network is not used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hundredfold.errors import DataError, MissingError
from hundredfold.weights import _pt, _safetensors
from hundredfold.weights._contents import Contents, Entry
from hundredfold.weights._header import Refused
from hundredfold.weights._safetensors import digest_of, size, write

_READERS = {
    ".safetensors": _safetensors.read,
    ".pt": _pt.read,
    ".pth": _pt.read,
    ".bin": _pt.read,
    ".ckpt": _pt.read,
}


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """Open a file of weights and yield its contents; tensors are read on demand.

    Raises MissingError where there is no such file. Raises DataError, also within the context, for
    an unknown format, a damaged file, or numbers that are not finite.
    """
    if not path.is_file():
        raise MissingError(f"there is no file of weights {str(path)!r}")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{str(path)!r} is not a kind of file that weights are read from",
            found=f"known are {', '.join(_READERS)}",
        )
    try:
        with path.open("rb") as file:
            yield reader(file)
    except (Refused, OSError) as error:
        raise DataError(f"cannot read the weights {str(path)!r}", found=str(error)) from None


__all__ = ["Contents", "Entry", "digest_of", "opened", "size", "write"]
