"""The listing of a table: each row names a file below the root, its label and its part."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from hundredfold.data import _columns, _passed_over, _scan, _walk
from hundredfold.data._listing import Files, Listing
from hundredfold.data._tables import Table
from hundredfold.data._walk import Entry, order
from hundredfold.errors import DataError
from hundredfold.wording import plural


class Finder:
    """Finds the files that a table names, below a root.

    A name is a path relative to the root, or an absolute path below it, or one with .. that leads
    from the table's folder to a file below it. Where there is no such
    file, the one file whose path ends in the name is taken, with or without its suffix.
    """

    def __init__(self, root: Entry, table: Table) -> None:
        self._root, self._table = root, table
        self._inside: dict[Path, bool] = {}

    def find(self, text: str, row: int) -> Entry | None:
        """Return a file; None where there is none. Raises DataError for one outside the root."""
        path = PurePosixPath(text)
        if isinstance(self._root, Path) and (path.is_absolute() or ".." in path.parts):
            path = self._below(Path(text), self._root)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise self._outside(text, row)
        if "\0" in text:
            return None
        entry = self._root / str(path)
        if _is_there(entry):
            return self._within(entry, text, row)
        return self._by_end(path, row)

    def _below(self, path: Path, root: Path) -> PurePosixPath:
        """Return an absolute path, or one that leaves the table's folder, relative to the root."""
        whole = Path(os.path.normpath(self._table.path.parent.absolute() / path))
        top = Path(os.path.normpath(root.absolute()))
        return PurePosixPath(*whole.parts[len(top.parts) :] if whole.is_relative_to(top) else "..")

    def _within(self, entry: Entry, text: str, row: int) -> Entry:
        """Return a file unless a link to its folder leads out of the root."""
        if not isinstance(entry, Path) or not isinstance(self._root, Path):
            return entry
        folder = entry.parent
        if folder not in self._inside:
            self._inside[folder] = folder.resolve().is_relative_to(self._root.resolve())
        if not self._inside[folder]:
            raise self._outside(text, row)
        return entry

    def _by_end(self, path: PurePosixPath, row: int) -> Entry | None:
        path = PurePosixPath(str(path).replace("\\", "/"))
        files = [f for f in self._by_name.get(path.name, ()) if _ends(f, path)]
        if len(files) > 1:
            raise DataError(
                f"{self._table.at(row)} names {str(path)!r}, and there are several such files",
                found=", ".join(map(str, files[:3])),
                remedy="write the path from the folder of the table, or name the folder of the "
                "images with --data-dir",
            )
        return files[0] if files else None

    @cached_property
    def _by_name(self) -> dict[str, list[Entry]]:
        """The images below the root by name, with and without suffix."""
        named: dict[str, list[Entry]] = defaultdict(list)
        for file in _scan.images(self._root):
            for name in {file.name, file.name[: -len(file.suffix)]}:
                named[name].append(file)
        return named

    def _outside(self, text: str, row: int) -> DataError:
        return DataError(
            f"{self._table.at(row)} names {text!r}, which is not a path below {self._root}",
            remedy="--data-dir with the folder that holds all images, and paths relative to it",
        )


def of_table(table: Table, root: Entry, image: str, label: str, group: str) -> Listing:
    """Return the listing of a table.

    image, label: names of columns; "" finds them. group: the name of a column, else ignored.

    Raises DataError for a file that is missing or outside the root, and for one with two labels.
    """
    grouped = group in table.columns
    columns = _columns.find(table, image, label, [group] if grouped else [])
    rows = [row for row, text in enumerate(columns.labels) if text]
    if not rows:
        raise DataError(f"no line of {table.path} has a label")
    entries = _found(table, root, columns.files, rows)
    parts: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    first: dict[Entry, int] = {}
    for row, entry in zip(rows, entries, strict=True):
        if entry in first:
            _need_equal(table, first[entry], row, columns)
            continue
        first[entry] = row
        text = unicodedata.normalize("NFC", columns.labels[row])
        parts[columns.parts[row] or "train"][text].append(entry)
    files = {part: _sorted(by_class.items()) for part, by_class in parts.items()}
    where: dict[str, Entry] = dict.fromkeys(files, table.path)
    if "train" not in files:
        raise DataError(f"no line of {table.path} is of the training part")
    groups: dict[str, str] = {}
    if grouped:
        values = table.columns[group]
        groups = {_scan.relative(root, e): values[row] for e, row in first.items()}
    left_out = len(table) - len(rows)
    note = f"{plural(left_out, 'line')} of {table.path} without a label: left out"
    return Listing(
        root,
        where,
        files.__getitem__,
        (lambda name: groups[name] or name) if grouped else None,
        (note,) if left_out else (),
        lambda: _passed_over.of_files(_walk.walk(root), first),
    )


def _found(table: Table, root: Entry, names: list[str], rows: list[int]) -> list[Entry]:
    finder = Finder(root, table)
    entries = [finder.find(names[row], row) for row in rows]
    missing = [row for row, entry in zip(rows, entries, strict=True) if entry is None]
    if missing:
        row = missing[0]
        raise DataError(
            f"{table.at(row)} names {names[row]!r}, which is not in {root}",
            found=f"{len(missing):,} of {len(rows):,} files are missing",
            remedy="remove these lines, or --data-dir with the folder of the images",
        )
    return [entry for entry in entries if entry is not None]


def _need_equal(table: Table, first: int, row: int, columns: _columns.Columns) -> None:
    """Raise DataError where a file is in two rows with different labels or parts."""
    if columns.labels[first] != columns.labels[row]:
        raise DataError(
            f"{table.at(row)} gives {columns.files[row]!r} the label {columns.labels[row]!r}, and "
            f"line {table.lines[first]} {columns.labels[first]!r}",
            found="several labels per image are multi-label, which Hundredfold does not train",
            remedy="one line, and one label, per image",
        )
    if columns.parts[first] != columns.parts[row]:
        raise DataError(
            f"{table.at(row)} has {columns.files[row]!r} in the {columns.parts[row]} part, and "
            f"line {table.lines[first]} in the {columns.parts[first]} part",
            remedy="each image in one part",
        )


def _sorted(by_class: Iterable[tuple[str, list[Entry]]]) -> Files:
    return {label: sorted(files, key=order) for label, files in sorted(by_class)}


def _is_there(entry: Entry) -> bool:
    """Return whether there is a file: of any kind, or a link to nothing, which decoding names."""
    if not isinstance(entry, Path):
        return entry.is_file()
    return os.path.lexists(entry) and not entry.is_dir()


def _ends(file: Entry, path: PurePosixPath) -> bool:
    return file.parts[-len(path.parts) : -1] == path.parts[:-1]
