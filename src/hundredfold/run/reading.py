"""Read and check the files of a run; every reader of a run's folder goes through here.

Sizes are bounded before anything is read, and values are checked by `schema` before anything is
computed. Whatever is wrong is one DataError that names the file.
"""

import json
import math
import os
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from hundredfold import recipes
from hundredfold.errors import DataError, UsageError, shortened
from hundredfold.run import plain, schema, search_schema, study_schema

_MB = 1 << 20
LARGEST = 8 * _MB  # bytes of a JSON or TOML file
_LONGEST_CURVE = 32 * _MB  # bytes
LARGEST_COMMIT = 2 * _LONGEST_CURVE  # it contains the curve
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_DIGITS = 20  # of a whole number
_ROWS = 200_000  # of a curve
_LARGEST_ARRAY = 1 << 36  # bytes
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Facts(dict[str, Any]):
    """A table of a file; a missing entry is a DataError that names the file."""

    file = ""

    def __missing__(self, key: str) -> Any:
        raise DataError(
            f"{self.file!r} has no {key!r}", remedy="put back the file that training wrote"
        )


def table(folder: Path, name: str, kind: type[BaseModel]) -> Facts:
    """Return a JSON file of a run's folder as checked by a model; values are as in the file."""
    path = str(folder / name)
    value = parsed(plain.content(folder, name, LARGEST), path)
    checked(_encodable(value), kind, path)
    facts: Facts = _facts(value, path)
    return facts


def curve(folder: Path, name: str) -> list[dict[str, float]]:
    """Return the rows of a curve; a half last line, which a kill may leave, is passed over."""
    return rows(plain.content(folder, name, _LONGEST_CURVE), str(folder / name))


def study(folder: Path) -> Facts:
    """Return study.json of a study's folder."""
    return table(folder, "study.json", study_schema.Study)


def comparison(folder: Path) -> Facts:
    """Return comparison.json of a study's folder."""
    return table(folder, "comparison.json", study_schema.Comparison)


def plan(folder: Path) -> Facts:
    """Return plan.json of a study's folder."""
    return table(folder, "plan.json", study_schema.Plan)


def progress(folder: Path) -> dict[str, Any]:
    """Return progress.json of a study's folder; {} where there is none."""
    if not plain.exists(folder / "progress.json"):
        return {}
    return table(folder, "progress.json", study_schema.Progress)


def search(folder: Path) -> Facts:
    """Return search.json of the folder of a study that `tune` has made."""
    return table(folder, "search.json", search_schema.Search)


def rows(content: bytes, where: str) -> list[dict[str, float]]:
    """Return the rows of a curve from its text; where: the file, for errors."""
    lines = content.splitlines(keepends=True)
    if len(lines) > _ROWS:
        raise damaged(where, f"{len(lines):,} lines")
    found: list[dict[str, float]] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(dict(checked(parsed(line, where), schema.Row, f"{where}, line {number}")))
        except DataError:
            if number < len(lines) or line.endswith(b"\n"):
                raise
    return found


def toml(folder: Path, name: str) -> tuple[str, dict[str, Any]]:
    """Return the text of a run's recipe, and its fields as plain values."""
    path, content = folder / name, plain.content(folder, name, LARGEST)
    try:
        fields = recipes.read_toml(path, "recipe")
    except UsageError as error:
        raise damaged(str(path), error.found or error.message) from None
    return content.decode(), checked(fields, schema.Fields, str(path))


def array(folder: Path, name: str, dtype: type[np.generic], ndim: int) -> NDArray[Any]:
    """Return an array of a .npy file; errors as in `shape`, and for numbers that are not finite."""
    with plain.opened(folder, name, _LARGEST_ARRAY) as file:
        lengths = _shape(file, str(folder / name), np.dtype(dtype), ndim)
        values: NDArray[Any] = np.fromfile(file, dtype, math.prod(lengths)).reshape(lengths)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise damaged(str(folder / name), "numbers that are not finite")
    return values


def shape(folder: Path, name: str, dtype: type[np.generic], ndim: int) -> tuple[int, ...]:
    """Return the shape of the array in a .npy file, without reading its numbers.

    Raises DataError for another type, other dimensions, and a file of another size.
    """
    with plain.opened(folder, name, _LARGEST_ARRAY) as file:
        return _shape(file, str(folder / name), np.dtype(dtype), ndim)


def _shape(file: BinaryIO, path: str, dtype: np.dtype[Any], ndim: int) -> tuple[int, ...]:
    """Read the header of an array and compare it with the file; the numbers come next."""
    try:
        read_header: Callable[..., Any] = _HEADERS[npy.read_magic(file)]
        lengths, fortran, found = read_header(file)
    except Exception as error:  # numpy parses the header as Python text, which raises anything
        raise damaged(path, str(error)) from None
    if found != dtype or fortran or len(lengths) != ndim:
        raise damaged(path, f"{found} of {lengths}, not {dtype} of {ndim} dimensions")
    size = os.fstat(file.fileno()).st_size - file.tell()
    if size != math.prod(lengths) * dtype.itemsize or 0 in lengths:
        raise damaged(path, f"{size:,} bytes for {dtype} of {lengths}")
    return tuple(lengths)


def parsed(content: bytes, where: str) -> Any:
    """Return the value of JSON text. Raises DataError for NaN, huge numbers and deep nesting."""
    try:
        value = json.loads(
            content.decode(), parse_constant=_refused, parse_int=_whole, parse_float=_real
        )
    except (ValueError, RecursionError) as error:
        raise damaged(where, str(error)) from None
    return value


def checked(value: Any, kind: type[BaseModel], where: str) -> Any:
    """Return a value that a model accepts. Raises DataError that names file and field."""
    try:
        kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "it"
        given = _SHORT.repr(first["input"])
        reason = first["msg"].removeprefix("Value error, ")
        raise damaged(where, f"{field[:200]} = {given}: {reason[0].lower()}{reason[1:]}") from None
    return value


def damaged(where: str, found: str) -> DataError:
    """Return the error for a damaged file of a run."""
    return DataError(
        f"cannot read {where!r}",
        found=found if found.isprintable() and len(found) <= 500 else shortened(found),
        remedy="put back the file that training wrote",
    )


def _facts(value: Any, path: str) -> Any:
    """Return tables as `Facts`, at every depth."""
    if isinstance(value, dict):
        facts = Facts({key: _facts(inner, path) for key, inner in value.items()})
        facts.file = path
        return facts
    return [_facts(inner, path) for inner in value] if isinstance(value, list) else value


def _encodable(value: Any) -> Any:
    """Return a value with the bytes of names that are no UTF-8 escaped, which models refuse."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(inner) for key, inner in value.items()}
    return [_encodable(inner) for inner in value] if isinstance(value, list) else value


def _refused(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"a whole number of {len(text):,} digits")
    return int(text)


def _real(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError("a number that is too large")
    return value
