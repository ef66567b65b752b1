"""Read an HDF5 data set whose chunks may be compressed, within the size that its shape gives."""

import itertools
import zlib
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNKS = 50_000  # of an array at most
_DEFLATE, _SHUFFLE = 1, 2  # HDF5's numbers of its filters


def read(array: Any) -> NDArray[Any]:
    """Return the values of an h5py data set. Raises ValueError for chunks that do not fit.

    Chunks may be plain, shuffled or compressed with gzip; other filters are refused.
    """
    filters = _filters(array)
    if not filters:
        _need_small(array)
        return np.asarray(array[()])
    chunks: tuple[int, ...] = array.chunks
    grid = [range(0, length, step) for length, step in zip(array.shape, chunks, strict=True)]
    if prod(map(len, grid)) > _CHUNKS:
        raise ValueError(f"an array is stored in {prod(map(len, grid)):,} chunks")
    _need_small(array)
    values = np.full(array.shape, array.fillvalue, array.dtype)
    for offset in itertools.product(*grid):
        place = tuple(slice(o, o + c) for o, c in zip(offset, chunks, strict=True))
        chunk = _chunk(array, offset, filters)
        if chunk is not None:
            part = values[place]
            values[place] = chunk[tuple(slice(0, length) for length in part.shape)]
    return values


def _filters(array: Any) -> list[int]:
    """Return the numbers of the filters that a chunk was written through, in order."""
    properties = array.id.get_create_plist()
    filters = [properties.get_filter(n)[0] for n in range(properties.get_nfilters())]
    if unknown := set(filters) - {_DEFLATE, _SHUFFLE}:
        raise ValueError(f"an array is compressed with filter {min(unknown)}, which is not read")
    return filters


def _need_small(array: Any) -> None:
    """Raise ValueError for chunks that are much larger than the array."""
    largest = max(4 * prod(array.shape) * array.dtype.itemsize, 1 << 20)
    if array.chunks and prod(array.chunks) * array.dtype.itemsize > largest:
        raise ValueError(f"an array of shape {array.shape} has chunks of {array.chunks}")


def _chunk(array: Any, offset: tuple[int, ...], filters: list[int]) -> NDArray[Any] | None:
    """Return one chunk; None where it was never written."""
    size = prod(array.chunks) * array.dtype.itemsize
    stored = array.id.get_chunk_info_by_coord(offset)
    if stored.byte_offset is None:
        return None
    if stored.size > size + size // 100 + 1024:
        raise ValueError(f"a chunk of {size:,} bytes is stored in {stored.size:,}")
    mask, content = array.id.read_direct_chunk(offset)
    for number in reversed(range(len(filters))):
        if mask >> number & 1:  # this chunk was written without the filter
            continue
        if filters[number] == _DEFLATE:
            content = _inflated(content, size)
        else:
            content = _unshuffled(content, array.dtype.itemsize)
    if len(content) != size:
        raise ValueError(f"a chunk holds {len(content):,} bytes, not {size:,}")
    return np.frombuffer(content, array.dtype).reshape(array.chunks)


def _inflated(content: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(content, size)
        whole = stream.eof or not stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise ValueError(f"a chunk is damaged ({error})") from None
    if not whole:
        raise ValueError(f"a chunk holds more than its {size:,} bytes")
    return inflated


def _unshuffled(content: bytes, width: int) -> bytes:
    """Return numbers whose first bytes were stored together, then their second ones."""
    count = len(content) // width
    planes = np.frombuffer(content, np.uint8, count * width).reshape(width, count)
    return planes.T.tobytes() + content[count * width :]
