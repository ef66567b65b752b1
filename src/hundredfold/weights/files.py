"""Files of weights: written to the same bytes every time, read as if a stranger had made them.

    .safetensors           a header of names, types and shapes, then the numbers
    .pt .pth .bin .ckpt    torch's zip, or its layout before 1.6; the pickle is interpreted
                           here, nothing that it names runs

Reading has two steps. `opened` reads what a file says it holds, a few MB at the most, and
checks that the file has the bytes for it; `Contents.tensors` then reads the tensors that the
caller wants, by names whose shapes it has compared. So memory is taken for what is wanted
and never for what a file claims. No other file is opened, no code run, no network used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hundredfold.errors import DataError, MissingError
from hundredfold.weights import _pt, _safetensors
from hundredfold.weights._contents import Contents, Entry, Refused
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
    """Open a file of weights and yield what it holds; tensors are read on demand within.

    Raises MissingError where there is no such file, and DataError, also within, for one
    that is no file of weights, is damaged, or holds numbers that are not finite.
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
