"""Your own images: one folder per class.

    photos/cats/*.jpg  photos/dogs/*.jpg           validation is split off by seed, no test part
    photos/train/cats  photos/val/cats  photos/test/cats ...       val and test are optional

`train` may be named training; `val` valid or validation; `test` testing. Classes are matched
by name. The folder is only read, never written.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from warnings import catch_warnings, simplefilter, warn

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _files, _notes, _scan, _store
from hundredfold.data._image import decode
from hundredfold.data._rows import Rows
from hundredfold.data._types import DataSet, Source
from hundredfold.errors import DataError, HundredfoldWarning, UsageError
from hundredfold.machine import cores
from hundredfold.progress_bar import progress

_BLOCK = 256
_SHOWN = 1000  # images from which progress is shown

Labelled = list[tuple[Path, int]]


def image_folder(source: Source, *, size: int = 32) -> DataSet:
    """Load class folders of JPEG, PNG, WebP, BMP, GIF or TIFF files from `--data-dir`.

    size: height and width in pixels, 8 to 1024; the centred square of each image is used.

    The data set has the name of the folder. Files that cannot be decoded are left out and
    listed in its notes. Raises DataError for a folder without images, with one class or an
    empty class, and for a class without any decodable file.
    """
    if not 8 <= size <= 1024:
        raise UsageError(f"image_folder(size={size}) is not between 8 and 1024")
    if source.folder is None:
        raise UsageError("image_folder needs a folder of images", remedy="--data-dir photos")
    with _files.reading():
        layout = _scan.layout(source.folder)
        names = tuple(_scan.training_classes(layout))
    ready = {name: _part(source, layout, name, names, size) for name in _seen(layout)}
    _need_all_classes(layout, ready["train"], names)
    parts = {name: part.open for name, part in ready.items()}
    if "test" in layout.parts:
        parts["test"] = lambda: _part(source, layout, "test", names, size).open()
    return DataSet(
        name=layout.root.resolve().name,
        classes=names,
        superclasses=(),
        superclass_of=(),
        size=size,
        digest=_store.digest(ready.values(), names),
        parts=parts,
        notes=_notes.notes(source.cache, layout.root, ready, names),
    )


def _seen(layout: _scan.Layout) -> list[str]:
    """Return the parts that training sees."""
    return [name for name in ("train", "validation") if name in layout.parts]


def _part(
    source: Source, layout: _scan.Layout, name: str, classes: tuple[str, ...], size: int
) -> _store.Part:
    with _files.reading():
        files = _scan.labelled(_scan.classes(layout, name), classes)
        key = _key(layout.root, files, size)
    if not files:
        raise DataError(
            f"no {name} images in {layout.parts[name]}", remedy="add some, or remove it"
        )
    root = hashlib.sha256(os.fsencode(layout.root.resolve())).hexdigest()[:16]
    group = f"image_folder/{root}-{size}/{name}"
    decode_all = partial(_decode, layout.root, files, size)
    part = _store.prepare(source.cache, group, key, decode_all)
    if name == "test" and part.left_out:
        warn(_notes.left_out(layout.root, part), HundredfoldWarning, stacklevel=2)
    return part


def _need_all_classes(layout: _scan.Layout, part: _store.Part, names: tuple[str, ...]) -> None:
    counts = np.bincount(part.open().labels, minlength=len(names))
    for name in (names[row] for row in np.flatnonzero(counts == 0)):
        raise DataError(
            f"no image of the class {name!r} in {layout.root} can be read",
            remedy="remove the class, or save its images again as PNG or JPEG",
            see=f"hundredfold data check {layout.root}",
        )


def _key(root: Path, files: Labelled, size: int) -> str:
    """Return the cache key of a part: path, label, size and times of every file."""
    facts: list[object] = [size]
    for file, label in files:
        about = file.stat()
        name = file.relative_to(root).as_posix()
        facts.append((name, label, about.st_size, about.st_mtime_ns, about.st_ctime_ns))
    return json.dumps(facts)


def _decode(root: Path, files: Labelled, size: int) -> Rows:
    labels = np.array([label for _, label in files], np.int64)
    names = tuple(_scan.relative(root, file) for file, _ in files)
    bad: dict[int, str] = {}
    blocks = _blocks(root, [file for file, _ in files], names, size, bad)
    return Rows(labels, size, blocks, names, bad)


def _blocks(
    root: Path, files: list[Path], names: tuple[str, ...], size: int, bad: dict[int, str]
) -> Iterator[NDArray[np.uint8]]:
    """Yield blocks of decoded images (b, size, size, 3); Pillow decodes in parallel threads."""
    text = f"decoding {len(files):,} images of {root} (once)" if len(files) >= _SHOWN else ""
    with (
        catch_warnings(),
        ThreadPoolExecutor(min(8, cores())) as pool,
        progress(text, len(files), count=True) as advance,
    ):
        simplefilter("ignore")  # odd metadata; `decode` itself refuses too many pixels
        for start in range(0, len(files), _BLOCK):
            rows = range(start, min(start + _BLOCK, len(files)))
            decoded = pool.map(lambda row: _image(files[row], size, names[row]), rows)
            images = []
            for row, image in zip(rows, decoded, strict=True):
                if isinstance(image, str):
                    bad[row] = image
                else:
                    images.append(image)
            if images:
                yield np.stack(images)
            advance(len(rows))


def _image(file: Path, size: int, name: str) -> NDArray[np.uint8] | str:
    """Return the pixels, or the reason why there are none."""
    try:
        return decode(file, size, name)
    except DataError as error:
        return error.message.removeprefix(f"cannot read {name}: ")
