"""Find the columns of a table: the image's file, its label, its split.

By content first, then by name. What is ambiguous is an error that names the candidates.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from hundredfold.data import _refused
from hundredfold.data._formats import SUFFIXES
from hundredfold.data._part_names import PARTS
from hundredfold.data._tables import Table
from hundredfold.errors import DataError, UsageError, did_you_mean

_IMAGES = ("image", "file", "filename", "filepath", "path", "imagepath", "imagefile", "imagename",
           "img", "imgpath", "imageid", "imgid", "idcode", "id", "uuid", "name")  # fmt: skip
_LABELS = ("label", "labels", "class", "classname", "classlabel", "category", "categoryname",
           "target", "labelname", "classid", "labelid", "y", "given")  # fmt: skip
_SPLITS = ("split", "subset", "set", "partition", "part", "phase")
_GROUPS = ("group", "patient", "patientid", "subject", "subjectid", "person", "personid", "video",
           "videoid", "scene", "sceneid")  # fmt: skip
_MOST_PATHS = 0.9  # fraction of a column's values that end in the suffix of an image


class Columns(NamedTuple):
    """The values of each row: the file as written, the label, the part ("" without splits)."""

    files: list[str]
    labels: list[str]
    parts: list[str]


def find(table: Table, image: str = "", label: str = "", other: Iterable[str] = ()) -> Columns:
    """Return the files, labels and parts of a table's rows; an empty label means none.

    image, label: the columns' names; "" finds them. other: columns that are neither.

    Raises UsageError for a name that is no column. Raises DataError where several columns could be
    meant or none, for an unknown split, and for a table with several labels per image or with
    numbers to be predicted.
    """
    for name, option in ((image, "--image-column"), (label, "--label-column")):
        _need_column(table, name, option)
    image = image or _image(table, {label, *other})
    split = _split(table, {image, label})
    rest = [name for name in table.columns if name not in {image, split, *other}]
    labels = table.columns[label] if label else _labels(table, rest)
    labels = _refused.checked(table, label or "label", labels)
    return Columns(table.columns[image], labels, _parts(table, split))


def _need_column(table: Table, name: str, option: str) -> None:
    if name and name not in table.columns:
        raise UsageError(
            f"{table.path} has no column {name!r} for {option}",
            remedy=did_you_mean(name, table.columns),
        )


def _image(table: Table, taken: set[str]) -> str:
    free = [name for name in table.columns if name not in taken]
    paths = [name for name in free if _paths(table.columns[name]) >= _MOST_PATHS]
    known = (name for name in paths or free if _plain(name) in _IMAGES)
    named = sorted(known, key=lambda name: _IMAGES.index(_plain(name)))
    if not paths:  # numbers or names without a suffix, one for each image
        distinct = [n for n in named if len(set(table.columns[n])) * 2 > len(table)]
        if distinct:
            return distinct[0]
        raise DataError(
            f"no column of {table.path} holds the paths of images",
            found=f"columns {', '.join(table.columns)}",
            remedy="--image-column NAME",
        )
    if len(paths) > 1 and not named:
        raise _ambiguous(table, "image", paths)
    return named[0] if named else paths[0]


def _labels(table: Table, rest: list[str]) -> list[str]:
    """Return the labels of a table whose label column is not named."""
    named = [name for name in rest if _plain(name) in _LABELS]
    if not named and (one_hot := _refused.one_hot(table, rest)) is not None:
        return one_hot
    free = [name for name in rest if _plain(name) not in _GROUPS]
    candidates = named or (free if len(free) == 1 else [n for n in free if _repeats(table, n)])
    if not candidates:
        raise DataError(
            f"no column of {table.path} holds labels",
            found=f"columns {', '.join(table.columns)}",
            remedy="--label-column NAME",
        )
    first = min(candidates, key=lambda name: _numbers(table.columns[name]))  # names before ids
    for other in candidates:
        if not _one_to_one(table.columns[first], table.columns[other]):
            raise _ambiguous(table, "label", candidates)
    return table.columns[first]


def _split(table: Table, taken: set[str]) -> str:
    """Return the name of the column of splits; "" where there is none."""
    for name, values in table.columns.items():
        if name in taken:
            continue
        parts = {PARTS.get(value.lower()) for value in values}
        if parts <= {"train", "validation", "test"} and "train" in parts and len(parts) > 1:
            return name
        if _plain(name) in _SPLITS and parts & {"train", "validation", "test"}:
            return name  # `_parts` names the line that is wrong
    return ""


def _parts(table: Table, split: str) -> list[str]:
    if not split:
        return [""] * len(table)
    values = table.columns[split]
    for row, value in enumerate(values):
        if value.lower() not in PARTS:
            raise DataError(
                f"{table.at(row)} has the {split} {value!r}",
                remedy="train, validation or test in each line",
            )
    return [PARTS[value.lower()] for value in values]


def _ambiguous(table: Table, kind: str, names: list[str]) -> DataError:
    line = table.lines[0] - 1 or 1
    shown = " and ".join(map(repr, names[:2])) + (f" and {len(names) - 2} more" * (len(names) > 2))
    return DataError(
        f"several columns of {table.path} (line {line}) could be the {kind}: {shown}",
        remedy=f"--{kind}-column {names[0]}",
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _paths(values: list[str]) -> float:
    endings = tuple(SUFFIXES)
    return sum(value.lower().endswith(endings) for value in values) / len(values)


def _repeats(table: Table, name: str) -> bool:
    """Return whether a column has the values of a label: at least two, each twice on average."""
    return 2 <= len(set(table.columns[name])) <= len(table) / 2


def _numbers(values: list[str]) -> bool:
    return all(value.replace(".", "", 1).lstrip("-").isdecimal() for value in values)


def _one_to_one(one: list[str], other: list[str]) -> bool:
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len(set(one)) == len(set(other))
