"""Read a table of text: CSV or TSV with the standard library, Parquet with pyarrow."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hundredfold.data._formats import SUFFIXES as IMAGES
from hundredfold.errors import DataError, MissingError, pip_install

SUFFIXES = (".csv", ".tsv", ".tab", ".parquet")
_SAVE = "save it again as CSV in UTF-8"


@dataclass(frozen=True)
class Table:
    """Columns of equal length, as text.

    lines: the line of the file that each row ends in; of a Parquet file the row, from 1.
    """

    path: Path
    columns: Mapping[str, list[str]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def at(self, row: int) -> str:
        """Return where a row is, for errors: "line 7 of labels.csv"."""
        word = "row" if self.path.suffix.lower() == ".parquet" else "line"
        return f"{word} {self.lines[row]} of {self.path}"


def is_table(path: Path) -> bool:
    """Return whether a file has the name of a table that can be read."""
    return path.suffix.lower() in SUFFIXES


def read(path: Path) -> Table:
    """Return a table. A file whose first line names an image has no header: columns are 1, 2, ...

    Raises DataError with the line that cannot be read, and MissingError for Parquet without
    pyarrow.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    rows = list(_rows(path))
    if not rows:
        raise DataError(f"{path} is empty", remedy="a line of column names, then one per image")
    (first_line, header), body = rows[0], rows[1:]
    if any(value.lower().endswith(tuple(IMAGES)) for value in header):
        header, body = [str(number + 1) for number in range(len(header))], rows
    if repeated := {name for name in header if header.count(name) > 1}:
        name = sorted(repeated)[0]
        raise DataError(f"line {first_line} of {path} names the column {name!r} twice")
    for line, values in body:
        if len(values) != len(header):
            raise DataError(
                f"line {line} of {path} has {len(values)} values for {len(header)} columns",
                found=", ".join(values[:4]),
                remedy="quote a value that holds the separator, or remove the line",
            )
    if not body:
        raise DataError(f"{path} has no line after its column names")
    columns = {name: [values[k].strip() for _, values in body] for k, name in enumerate(header)}
    return Table(path, columns, [line for line, _ in body])


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the values of each row that is not blank."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=_separator(path), strict=True)
            for values in reader:
                number = reader.line_num
                if any(value.strip() for value in values):
                    yield number, values
    except csv.Error as error:
        raise DataError(
            f"line {number + 1} of {path} cannot be read", found=str(error), remedy=_SAVE
        ) from None
    except UnicodeDecodeError:
        raise DataError(
            f"line {_first_bad_line(path)} of {path} is not text in UTF-8", remedy=_SAVE
        ) from None


def _separator(path: Path) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        first = stream.readline(2**16)
    return max(",;\t", key=first.count)  # the first of several that are as frequent


def _first_bad_line(path: Path) -> int:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _parquet(path: Path) -> Table:
    if find_spec("pyarrow") is None:
        raise MissingError(
            f"{path} needs pyarrow to be read", remedy=pip_install("'hundredfold[parquet]'")
        )
    import pyarrow
    from pyarrow import parquet

    try:
        values: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    except (pyarrow.ArrowException, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} is no readable Parquet file", found=reason) from None
    columns = {str(name): [_text(path, str(name), v) for v in values[name]] for name in values}
    count = len(next(iter(columns.values()), []))
    if not count:
        raise DataError(f"{path} has no rows")
    return Table(path, columns, list(range(1, count + 1)))


def _text(path: Path, column: str, value: Any) -> str:
    if isinstance(value, dict | bytes):
        raise DataError(
            f"the column {column!r} of {path} holds images, not their paths",
            remedy="save the images as files, and a table of their paths",
        )
    if isinstance(value, list):
        return "|".join(map(str, value))
    return "" if value is None else str(value).strip()
