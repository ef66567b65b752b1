"""Scan a folder of images for its parts, classes and files, without decoding anything."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hundredfold.data import _walk
from hundredfold.data._formats import SUFFIXES
from hundredfold.data._part_names import PARTS, part_like
from hundredfold.data._walk import Entry, Folder
from hundredfold.errors import DataError, did_you_mean
from hundredfold.wording import listed, plural


@dataclass(frozen=True)
class Layout:
    """A folder of images, and part -> its folder; without parts, all images are for training.

    notes: sentences on folders whose name may mean something else.
    """

    root: Entry
    tree: Folder
    parts: Mapping[str, Folder]
    notes: tuple[str, ...] = ()


def layout(root: Entry) -> Layout:
    """Return the parts of a folder: `train`, `val`, `test` and synonyms, or class folders only.

    A folder with such a name is a part if it contains class folders; otherwise it is a class.
    Raises DataError where there is no training part, where a part appears twice, and where class
    folders hold parts or seem to be parts themselves.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {str(root)!r}", remedy="check --data-dir")
    tree = _walk.walk(root).need_usable()
    parts: dict[str, Folder] = {}
    for folder in tree.folders:
        part = PARTS.get(folder.name.lower())
        if part is None or not folder.need_usable().folders:
            continue
        if part in parts:
            raise DataError(
                f"{parts[part].entry} and {folder.entry} are both the {part} part of {root}"
            )
        parts[part] = folder
    if not parts and any(folder.name.lower() not in PARTS for folder in tree.folders):
        _need_classes_not_parts(tree)
        _need_parts_above(tree)
        return Layout(root, tree, {"train": tree}, tuple(_called_like_parts(tree)))
    if "train" not in parts:
        raise _no_training(tree, parts)
    _need_parts_above(parts["train"])
    if len(parts) == 1:
        _need_no_classes_beside(tree, parts["train"])
    return Layout(root, tree, parts)


def _no_training(tree: Folder, parts: Mapping[str, Folder]) -> DataError:
    root, folder = tree.entry, _loosest(tree)
    by_name = ', or labels in file names: --label-pattern "{label}_*"' if folder.images else ""
    beside = [shown(f.name) for f in tree.folders if f.count() and f not in parts.values()]
    if parts and beside:
        names = listed([repr(name) for name in beside[:3]]) + (", ..." if beside[3:] else "")
        found = f"{names} beside {next(iter(parts.values())).entry}"
    else:
        found = _holds(folder)
    return DataError(
        f"no training images in {root}",
        found=found,
        remedy=f"one folder of images per class: {root}/train/cats, {root}/train/dogs{by_name}",
    )


def _need_classes_not_parts(tree: Folder) -> None:
    """Raise DataError where folders beside class folders are parts whose name is not known."""
    split = [f for f in tree.folders if f.folders and part_like(f.name)]
    if len(split) > 1 or len(split) == len(tree.folders):
        names = listed([repr(shown(folder.name)) for folder in split[:3]])
        raise DataError(
            f"{names} in {tree.entry} look like parts, and none is called train",
            remedy=f"rename them train, val and test: {tree.entry}/train/cats",
        )
    names_of_classes = {folder.name for folder in tree.folders}
    for folder in tree.folders:
        inner = [shown(below.name) for below in folder.folders]
        if len(inner) > 1 and names_of_classes.issuperset(f.name for f in folder.folders):
            raise DataError(
                f"{folder.entry} holds folders that are called like the classes beside it",
                found=", ".join(inner[:5]),
                remedy=f"parts outside, classes inside: {tree.entry}/train/{inner[0]}, "
                f"{tree.entry}/test/{inner[0]}",
            )


def _need_parts_above(classes: Folder) -> None:
    """Raise DataError where each class folder holds the parts, instead of each part the classes."""
    parts_of = {
        folder.name: {part_like(below.name) for below in folder.folders if below.count()} - {""}
        for folder in classes.folders
    }
    exact = [
        any(below.name.lower() in PARTS and below.count() for below in folder.folders)
        for folder in classes.folders
    ]
    several = next((name for name, parts in parts_of.items() if len(parts) > 1), None)
    if several is None and not (len(exact) > 1 and all(exact)):
        return
    name = shown(several if several is not None else classes.folders[0].name)
    if len(classes.folders) == 1:
        raise DataError(
            f"{classes.entry} holds one folder, {name!r}, which holds the parts",
            remedy=f"name {classes.entry / name}",
        )
    inner = next(folder for folder in classes.folders if shown(folder.name) == name).folders
    first, *_ = [shown(below.name) for below in inner if part_like(below.name)]
    raise DataError(
        f"the class folder {classes.entry / name} holds parts: "
        + listed([repr(shown(below.name)) for below in inner[:4]]),
        remedy=f"the other way round: {classes.entry}/{first}/{name}",
    )


def _need_no_classes_beside(tree: Folder, train: Folder) -> None:
    """Raise DataError where class folders lie beside a single part: they may be meant for it."""
    beside = [
        folder
        for folder in tree.folders
        if folder.images and not folder.folders and not part_like(folder.name)
    ]
    if len(beside) > 1:
        names = listed([repr(shown(folder.name)) for folder in beside[:3]])
        raise DataError(
            f"{names} in {tree.entry} are class folders beside {train.entry}, which is taken for "
            "the training part",
            remedy=f"move them into {train.entry}; or rename that folder if it is a class",
        )


def _called_like_parts(tree: Folder) -> Iterator[str]:
    """Yield a sentence on each class whose name is that of a part."""
    for folder in tree.folders:
        if part_like(folder.name) and folder.images and not folder.folders:
            name = shown(folder.name)
            yield (
                f"the folder {name!r} is taken for a class, as it holds no class folders: move it "
                "away if its images have no label"
            )


def classes(layout: Layout, part: str) -> dict[str, list[Entry]]:
    """Return the image files of each class of a part, both sorted; empty classes included.

    A class has the name of its folder, with accents in composed form (NFC), so that the name
    is the same on every system. Raises DataError where two folders have the same name in NFC.
    """
    files: dict[str, list[Entry]] = {}
    for folder in layout.parts[part].need_usable().folders:
        name = unicodedata.normalize("NFC", shown(folder.name))
        if name in files:
            raise DataError(
                f"two folders in {layout.parts[part].entry} are called {name!r} (NFC, NFD)"
            )
        files[name] = _walk.images(folder)
    return dict(sorted(files.items()))


def need_classes(files: Mapping[str, list[Entry]], folder: Entry) -> None:
    """Raise DataError for fewer than two training classes, and for a class without images."""
    if not any(files.values()):
        raise DataError(
            f"no training images in {folder}",
            found=_holds(_walk.walk(folder)) if folder.is_dir() else None,
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
            where = folder if folder.name == name else f"{name!r}, the label of {images[0]},"
            raise DataError(
                f"{where} is a class that the training part does not have",
                remedy=did_you_mean(name, class_names),
            )
    return [(file, position[name]) for name, images in files.items() for file in images]


def relative(root: Entry, file: Entry) -> str:
    """Return a path relative to the root, with / as separator and undecodable bytes escaped."""
    return shown(next(_walk.names(root, [file])))


def shown(name: str) -> str:
    r"""Return a name with undecodable bytes escaped: "Fr\xfcchte"; names stay different."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def images(root: Entry) -> list[Entry]:
    """Return the image files below a folder, sorted; no link to a folder leads out."""
    return _walk.images(_walk.walk(root))


def _loosest(tree: Folder) -> Folder:
    """Return the first folder with loose images, which belong to no class; else the root."""
    return next((folder for folder in (tree, *tree.folders) if folder.images), tree)


def _holds(folder: Folder) -> str:
    """Describe a folder without class folders: its loose images, or its first names."""
    if loose := len(folder.images):
        images = "1 loose image" if loose == 1 else f"{loose:,} loose images"
        return f"{folder.entry} holds {images}, which have no class"
    names = [shown(inner.name) for inner in folder.folders]
    names += [plural(count, f"{kind} file") for kind, count in folder.others.items()]
    text = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{folder.entry} holds {text}" if names else f"{folder.entry} is empty"
