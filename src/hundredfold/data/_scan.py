"""Scan a folder of images for its parts, classes and files, without decoding anything."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hundredfold.data import _walk
from hundredfold.data._walk import SUFFIXES, Entry
from hundredfold.errors import DataError, did_you_mean

PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True)
class Layout:
    """A folder of images, and part -> its folder; without parts, all images are for training."""

    root: Entry
    parts: Mapping[str, Entry]


def layout(root: Entry) -> Layout:
    """Return the parts of a folder: `train`, `val`, `test` and synonyms, or class folders only.

    A folder with such a name is a part if it contains class folders; otherwise it is a class.
    Raises DataError where there is no training part, or a part appears twice.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {str(root)!r}", remedy="check --data-dir")
    folders = _folders(root, root)
    parts: dict[str, Entry] = {}
    for folder in folders:
        part = PARTS.get(folder.name.lower())
        if part is None or not _folders(root, folder):
            continue
        if part in parts:
            raise DataError(f"{parts[part]} and {folder} are both the {part} part of {root}")
        parts[part] = folder
    if not parts and any(folder.name.lower() not in PARTS for folder in folders):
        return Layout(root, {"train": root})
    if "train" not in parts:
        folder = _loosest(root, folders)
        by_name = ', or labels in file names: --label-pattern "{label}_*"' if _loose(folder) else ""
        raise DataError(
            f"no training images in {root}",
            found=_holds(folder),
            remedy=f"one folder of images per class: {root}/train/cats, {root}/train/dogs{by_name}",
        )
    return Layout(root, parts)


def classes(layout: Layout, part: str) -> dict[str, list[Entry]]:
    """Return the image files of each class of a part, both sorted; empty classes included.

    A class has the name of its folder, with accents in composed form (NFC), so that the name
    is the same on every system. Raises DataError where two folders have the same name in NFC.
    """
    files: dict[str, list[Entry]] = {}
    for folder in _folders(layout.root, layout.parts[part]):
        name = unicodedata.normalize("NFC", relative(folder.parent, folder))
        if name in files:
            raise DataError(f"two folders in {layout.parts[part]} are called {name!r} (NFC, NFD)")
        files[name] = images(layout.root, folder)
    return dict(sorted(files.items()))


def need_classes(files: Mapping[str, list[Entry]], folder: Entry) -> None:
    """Raise DataError for fewer than two training classes, and for a class without images."""
    if not any(files.values()):
        raise DataError(
            f"no training images in {folder}",
            found=_holds(folder),
            remedy=f"one folder of images per class: {folder}/cats, {folder}/dogs; images are "
            + " ".join(sorted(SUFFIXES)),
        )
    if empty := [name for name, images in files.items() if not images]:
        raise DataError(
            f"the class {empty[0]!r} has no images in {folder}",
            found=f"{len(empty)} of {len(files)} classes are empty",
            remedy=f"add images to {folder / empty[0]}, or remove the folder",
        )
    if len(files) == 1:
        raise DataError(
            f"{folder} has only one class, {next(iter(files))!r}",
            remedy="one folder of images per class, two or more",
        )


def labelled(
    files: Mapping[str, list[Entry]], class_names: tuple[str, ...]
) -> list[tuple[Entry, int]]:
    """Return each file with the index of its class in `class_names`, matched by name.

    Raises DataError for images of a class that is not in `class_names`.
    """
    position = {name: index for index, name in enumerate(class_names)}
    for name, images in files.items():
        if images and name not in position:
            folder = images[0].parent
            shown = folder if folder.name == name else f"{name!r}, the label of {images[0]},"
            raise DataError(
                f"{shown} is a class that the training part does not have",
                remedy=did_you_mean(name, class_names),
            )
    return [(file, position[name]) for name, images in files.items() for file in images]


def relative(root: Entry, file: Entry) -> str:
    """Return a path relative to the root, with / as separator and undecodable bytes replaced."""
    return shown(next(_walk.names(root, [file])))


def shown(name: str) -> str:
    """Return a name with undecodable bytes replaced."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def images(root: Entry, folder: Entry) -> list[Entry]:
    """Return the image files below a folder, sorted; no link leads out of the root."""
    return _walk.images(folder, partial(within, root))


def _folders(root: Entry, folder: Entry) -> list[Entry]:
    entries: Iterable[Entry] = folder.iterdir()
    found = [f for f in entries if f.is_dir() and not _walk.hidden(f.name) and within(root, f)]
    return sorted(found, key=_walk.order)


def within(root: Entry, entry: Entry) -> bool:
    """Return True, or raise DataError for a link that leads out of the root."""
    if not isinstance(entry, Path) or not isinstance(root, Path) or not entry.is_symlink():
        return True
    if not entry.resolve().is_relative_to(root.resolve()):
        raise DataError(
            f"{entry} is a link that leads out of {root}",
            found=str(entry.resolve()),
            remedy="copy the images into the folder",
        )
    return True


def _loosest(root: Entry, folders: list[Entry]) -> Entry:
    """Return the first folder with loose images, which belong to no class; else the root."""
    return next((folder for folder in (root, *folders) if _loose(folder)), root)


def _loose(folder: Entry) -> int:
    """Return the number of images directly in a folder, not in a class folder below it."""
    return sum(f.suffix.lower() in SUFFIXES and f.is_file() for f in folder.iterdir())


def _holds(folder: Entry) -> str:
    """Describe a folder without class folders: its loose images, or its first names."""
    if loose := _loose(folder):
        images = "1 loose image" if loose == 1 else f"{loose:,} loose images"
        return f"{folder} holds {images}, which have no class"
    names = sorted(relative(folder, entry) for entry in folder.iterdir())
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{folder} holds {shown}" if names else f"{folder} is empty"
