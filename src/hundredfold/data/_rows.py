"""Decoded images, written block by block to NumPy files."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _packed
from hundredfold.errors import DataError
from hundredfold.size import Size, SizeLike, plain

_READ = 1024  # images


@dataclass(frozen=True)
class Rows:
    """The decoded images of a part.

    labels: (n,), class indices.
    size:   of the images in pixels.
    blocks: arrays (b, height, width, 3) uint8; together n images, minus those in `bad`.
    names:  one file name per label, or ().
    bad:    row -> why it has no image; complete only when all blocks have been read.
    jpegs:  blocks of JPEGs of that size, in place of `blocks`; None where there are none.
    """

    labels: NDArray[np.int64]
    size: SizeLike
    blocks: Iterable[NDArray[np.uint8]]
    names: tuple[str, ...] = ()
    bad: Mapping[int, str] = field(default_factory=dict)
    jpegs: Iterable[list[bytes]] | None = None


def write(folder: Path, rows: Rows) -> dict[str, Any]:
    """Write pixels.npy or a packed file, and labels.npy.

    Returns their digest, the names, the files left out, and the size of packed images. Raises
    DataError where the number of images does not match the labels.
    """
    sums = None if rows.jpegs is None else _packed.write(folder, rows.jpegs)
    count = _write_pixels(folder / "pixels.npy", rows) if sums is None else len(sums)
    kept = [row for row in range(len(rows.labels)) if row not in rows.bad]
    if count != len(kept):
        raise DataError(f"{count} images were decoded for {len(kept)} labels")
    labels = np.ascontiguousarray(rows.labels[kept], "<i8")
    np.save(folder / "labels.npy", labels)
    digest = (
        pixels_digest(_mapped(folder / "pixels.npy", len(labels)), labels, rows.size)
        if sums is None
        else _packed_digest(sums, labels, rows.size)
    )
    return {
        "digest": digest,
        "packed": plain(rows.size) if sums is not None else 0,
        "names": [rows.names[row] for row in kept] if rows.names else [],
        "left_out": [(rows.names[row], reason) for row, reason in sorted(rows.bad.items())],
    }


def _write_pixels(file: Path, rows: Rows) -> int:
    """Write the images and return their number."""
    with file.open("wb") as stream:
        _write_header(stream, len(rows.labels), rows.size)
        start, count = stream.tell(), 0
        for block in rows.blocks:
            stream.write(np.ascontiguousarray(block, np.uint8).data)
            count += len(block)
        if count != len(rows.labels):  # NumPy pads the header, so another count fits
            stream.seek(0)
            _write_header(stream, count, rows.size)
            if stream.tell() != start:
                raise DataError(f"the header of {file} does not fit", remedy="remove bad files")
    return count


def _write_header(stream: IO[bytes], count: int, size: SizeLike) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *Size.of(size), 3)}
    np.lib.format.write_array_header_1_0(stream, header)


def pixels_digest(pixels: NDArray[np.uint8], labels: NDArray[np.int64], size: SizeLike) -> str:
    """Return the sha256 hex of images (n, height, width, 3) and their labels."""
    total = hashlib.sha256(f"{len(labels)} {plain(size)}".encode())
    for start in range(0, len(pixels), _READ):
        total.update(np.ascontiguousarray(pixels[start : start + _READ]).data)
    total.update(labels.data)
    return total.hexdigest()


def _packed_digest(sums: NDArray[np.uint8], labels: NDArray[np.int64], size: SizeLike) -> str:
    total = hashlib.sha256(f"packed {len(labels)} {plain(size)}".encode())
    total.update(sums.data)
    total.update(labels.data)
    return total.hexdigest()


def _mapped(pixels: Path, count: int) -> NDArray[np.uint8]:
    mode: Literal["r"] | None = "r" if count else None  # an empty file cannot be mapped
    return np.load(pixels, mmap_mode=mode, allow_pickle=False)  # type: ignore[no-any-return]
