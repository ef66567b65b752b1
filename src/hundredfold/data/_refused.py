"""Recognise tables of another task: several labels per image, or numbers to be predicted."""

from collections import Counter
from collections.abc import Sequence

from hundredfold.data._tables import Table
from hundredfold.errors import DataError

_SEPARATORS = "|;, "
_FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
_COMMON = 0.5  # fraction of the combined labels whose pieces all occur in other labels too
_MOST_NUMBERS = 0.5  # distinct whole numbers / rows, above which they are no classes


def checked(table: Table, column: str, labels: Sequence[str]) -> list[str]:
    """Return the labels, whole numbers without decimals.

    Raises DataError for multi-label and regression tables.
    """
    if numbers := _numbers([label for label in labels if label]):
        whole = all(number == int(number) for number in numbers)
        distinct = len(set(numbers))
        if not whole or (distinct > 20 and distinct > _MOST_NUMBERS * len(numbers)):
            row = next(
                k for k, v in enumerate(labels) if v and (whole or float(v) != int(float(v)))
            )
            raise DataError(
                f"{table.at(row)} has {labels[row]} as its {column}: this is regression, and "
                "Hundredfold trains classifiers",
                remedy="a column of classes; group the numbers into ranges, one name each",
            )
        return [str(int(float(label))) if label else "" for label in labels]
    if separator := _separator(set(labels)):
        row = next(k for k, label in enumerate(labels) if separator in label)
        pieces = [piece.strip() for piece in labels[row].split(separator)]
        raise _several(table, row, pieces)
    return list(labels)


def one_hot(table: Table, names: Sequence[str]) -> list[str] | None:
    """Return the labels of a table with a column of 0 and 1 per class; None for another table.

    Raises DataError where a row has several ones.
    """
    flags = [n for n in names if {v.lower() for v in table.columns[n]} <= _FLAGS.keys()]
    if len(flags) < 2:
        return None
    labels = []
    for row in range(len(table)):
        set_flags = [name for name in flags if _FLAGS[table.columns[name][row].lower()]]
        if len(set_flags) > 1:
            raise _several(table, row, set_flags)
        labels.append(set_flags[0] if set_flags else "")
    return labels


def _several(table: Table, row: int, labels: Sequence[str]) -> DataError:
    return DataError(
        f"{table.at(row)} has several labels ({', '.join(labels[:3])}): this is multi-label, and "
        "Hundredfold gives each image one class",
        remedy="--label-column NAME with one class per image",
    )


def _numbers(labels: Sequence[str]) -> list[float]:
    """Return the labels as numbers; empty where one is none."""
    try:
        numbers = [float(label) for label in labels]
    except ValueError:
        return []
    return numbers if all(abs(number) < 1e15 for number in numbers) else []


def _separator(labels: set[str]) -> str:
    """Return what separates the classes in combined labels, such as | in "cat|dog"; else ""."""
    for separator in _SEPARATORS:
        split = {label: [p.strip() for p in label.split(separator)] for label in labels if label}
        pieces = Counter(piece for parts in split.values() for piece in set(parts))
        combined = [parts for parts in split.values() if len(parts) > 1 and all(parts)]
        shared = [parts for parts in combined if all(pieces[piece] > 1 for piece in parts)]
        if shared and len(shared) >= _COMMON * len(combined) and len(pieces) <= len(split):
            return separator
    return ""
