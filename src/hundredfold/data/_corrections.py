"""Corrected labels: a CSV that a person edited, as `data check --suspects` writes it.

Columns `file` and `label`, or `given` where there is no `label`. An empty label leaves the image
out; a file without a line keeps its label. An apostrophe before text like a formula, as this
package writes it, is not part of the text.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from hundredfold.csv_cells import original
from hundredfold.data import _tables
from hundredfold.data._files import fingerprint
from hundredfold.data._listing import Files, Listing
from hundredfold.data._passed_over import UNLABELLED
from hundredfold.data._types import Source
from hundredfold.data._walk import Entry, order
from hundredfold.errors import DataError, did_you_mean
from hundredfold.paths import expanded
from hundredfold.wording import plural

DIGITS = 16  # hex digits of a pinned digest


def pinned(labels: str, cache_folder: Path) -> tuple[str, Path | None]:
    """Return the text of a recipe, NAME@DIGEST, and the path, of a file of corrected labels.

    A text that is pinned already is returned as it is, without a path.
    """
    if not labels or is_pinned(labels):
        return labels, None
    path = expanded(labels)
    name = path.name.replace("@", "-")
    return f"{name}@{fingerprint(cache_folder, path)[:DIGITS]}", path.absolute()


def is_pinned(labels: str) -> bool:
    """Return whether a text is NAME@DIGEST, not a path."""
    name, _, digest = labels.rpartition("@")
    return bool(name) and len(digest) == DIGITS and set(digest) <= set("0123456789abcdef")


def corrected(listing: Listing, source: Source, labels: str) -> Listing:
    """Return the listing with the labels of a file.

    labels: its path, or NAME@DIGEST for the path in `source`.

    Raises DataError, with the line, for a file or a class that the data do not have, for a file
    with two labels, and where the file is missing or not the one of the recipe.
    """
    path = _path(source, labels)
    table = _tables.read(path)
    column = next((name for name in ("label", "given") if name in table.columns), None)
    if "file" not in table.columns or column is None:
        raise DataError(
            f"{path} has the columns {', '.join(table.columns)}",
            remedy="file and label, as hundredfold data check --suspects writes them",
        )
    label_of = _labels(table, table.columns["file"], table.columns[column], listing)
    out = sum(not label for label in label_of.values())

    @cache
    def read(part: str) -> Files:
        return _changed(listing, part, label_of)

    note = f"{plural(out, 'image')} without a label in {path}: left out"
    return replace(
        listing,
        read=read,
        notes=(*listing.notes, *([note] if out else [])),
        passed_over=lambda: +Counter({**listing.passed_over(), UNLABELLED: out}),
    )


def _path(source: Source, labels: str) -> Path:
    if not is_pinned(labels):
        return expanded(labels)
    if source.labels is None:
        name = labels.rpartition("@")[0]
        raise DataError(f"the corrected labels {name} are not at hand", remedy=f"--labels {name}")
    own = fingerprint(source.cache, source.labels)[:DIGITS]
    if own != labels.rpartition("@")[2]:
        raise DataError(
            f"{source.labels} does not hold the corrected labels of the recipe",
            found=f"sha256 {own}..., not {labels.rpartition('@')[2]}...",
            remedy="put the former file back, or train a new run with --labels",
        )
    return source.labels


def _labels(
    table: _tables.Table, files: list[str], labels: list[str], listing: Listing
) -> dict[str, str]:
    """Return file -> label, checked against the listing."""
    every = (some for part in listing.where for some in listing.read(part).values())
    names = {listing.name(file) for some in every for file in some}
    classes = {label for label, some in listing.read("train").items() if some}
    found: dict[str, str] = {}
    cells = zip(map(original, files), map(original, labels), strict=True)
    for row, (file, written) in enumerate(cells):
        label = unicodedata.normalize("NFC", written)
        if file not in names:
            raise DataError(
                f"{table.at(row)} names {file!r}, which is not among the images",
                remedy="file names as hundredfold data check prints them",
            )
        if label and label not in classes:
            raise DataError(
                f"{table.at(row)} has the label {label!r}, which is no class",
                remedy=did_you_mean(label, classes),
            )
        if found.setdefault(file, label) != label:
            raise DataError(
                f"{table.at(row)} gives {file!r} the label {label!r}, and another line "
                f"{found[file]!r}",
                remedy="one line per image",
            )
    return found


def _changed(listing: Listing, part: str, label_of: Mapping[str, str]) -> Files:
    """Return the files of a part by their corrected class, without classes that became empty."""
    before = listing.read(part)
    after: dict[str, list[Entry]] = {label: [] for label in before}
    for label, files in before.items():
        for file in files:
            if new := label_of.get(listing.name(file), label):
                after.setdefault(new, []).append(file)
    return {
        label: sorted(files, key=order)
        for label, files in sorted(after.items())
        if files or not before.get(label)
    }
