"""Decode the parts of a listing into the cache, once; as pixels, or as JPEGs for large sets."""

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _decoding, _files, _notes, _scan, _store, _walk
from hundredfold.data._image import Resize
from hundredfold.data._listing import Listing
from hundredfold.data._packed import encode
from hundredfold.data._rows import Rows
from hundredfold.data._types import Split
from hundredfold.errors import DataError, HundredfoldWarning, UsageError, did_you_mean
from hundredfold.size import Size

STORES = ("auto", "pixels", "jpeg")
_SEEN = ("train", "validation")  # parts that training reads

Labelled = list[tuple[_walk.Entry, int]]


@dataclass(frozen=True)
class Parts:
    """The parts of a listing as they are decoded.

    cache: its folder. classes: their names, by index. size: of the images in pixels. packed:
    whether images are kept as JPEGs. keys: cache key of each part, once it is known.
    """

    cache: Path
    listing: Listing
    classes: tuple[str, ...]
    size: Size
    resize: Resize = "crop"
    packed: bool = False
    keys: dict[str, str] = field(default_factory=dict, compare=False)

    def stored(self, store: str) -> "Parts":
        """Return the parts as they are to be kept: "pixels", "jpeg" or "auto".

        "auto" stays with what the cache has already, else decides by the size of all images.
        Raises UsageError for another text.
        """
        if store not in STORES:
            raise UsageError(
                f"image_folder(store={store!r}) is unknown", remedy=did_you_mean(store, STORES)
            )
        if store != "auto":
            return replace(self, packed=store == "jpeg")
        key = self._key("train", self._labelled("train"))
        for kept in (self, replace(self, packed=True)):
            if _store.exists(self.cache, kept._group("train"), key):
                return kept
        images = sum(len(self._labelled(name)) for name in self.seen())
        return replace(self, packed=_store.is_large(self.cache, images, self.size))

    def seen(self) -> list[str]:
        """Return the names of the parts that training reads."""
        return [name for name in _SEEN if name in self.listing.where]

    def decoded(self, name: str) -> _store.Part:
        """Return a part, decoded where the cache lacks it. Raises DataError for an empty one."""
        files = self._labelled(name)
        decode_all = partial(self._decode, files)
        part = _store.prepare(self.cache, self._group(name), self._key(name, files), decode_all)
        if name == "test" and part.left_out:
            text = _notes.left_out(self.listing.where[name], part)
            warn(text, HundredfoldWarning, stacklevel=2)
        return part

    def opened(self, part: _store.Part) -> Split:
        """Return the images of a part, with their groups."""
        split = part.open()
        return replace(split, groups=self.listing.groups(split.names))

    def _labelled(self, name: str) -> Labelled:
        with _files.reading():
            files = self.listing.files(name, self.classes)
        if not files:
            where = self.listing.where[name]
            raise DataError(f"no {name} images in {where}", remedy="add some, or remove it")
        return files

    def _group(self, name: str) -> str:
        root = str(self.listing.root.resolve())
        digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        return f"image_folder/{digest}-{self.size}{'-packed' if self.packed else ''}/{name}"

    def _key(self, part: str, files: Labelled) -> str:
        """Return the cache key of a part: path, label, size and times of every file."""
        if part in self.keys:
            return self.keys[part]
        size = self.size.plain
        facts: list[object] = [size] if self.resize == "crop" else [size, self.resize]
        names = _walk.names(self.listing.root, (file for file, _ in files))
        with _files.reading():
            for name, (file, label) in zip(names, files, strict=True):
                facts.append((name, label, *_walk.size_and_times(file)))
        self.keys[part] = json.dumps(facts)
        return self.keys[part]

    def _decode(self, files: Labelled) -> Rows:
        root = self.listing.root
        labels = np.array([label for _, label in files], np.int64)
        names = tuple(map(_scan.shown, _walk.names(root, (file for file, _ in files))))
        bad: dict[int, str] = {}

        def pixels(row: int) -> NDArray[np.uint8] | str:
            return _decoding.image(files[row][0], self.size, names[row], self.resize)

        def jpeg(row: int) -> bytes | str:
            image = pixels(row)
            return image if isinstance(image, str) else encode(image)

        text = f"decoding {len(files):,} images of {root} (once)"
        if self.packed:
            jpegs = _decoding.blocks(len(files), jpeg, self.size, bad, text)
            return Rows(labels, self.size, (), names, bad, jpegs)
        blocks = map(np.stack, _decoding.blocks(len(files), pixels, self.size, bad, text))
        return Rows(labels, self.size, blocks, names, bad)
