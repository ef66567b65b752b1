"""Images whose label may be wrong: the list, and its CSV that a person corrects."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from hundredfold import csv_cells, files


@dataclass(frozen=True)
class Suspect:
    """An image whose label may be wrong.

    file: its name, or "train/123" where it is no file. split: the part that it is in.
    given: its label. likely: the label that similar images have. probability: of `likely`.
    """

    file: str
    split: str
    given: str
    likely: str
    probability: float


def write_suspects(path: Path, suspects: Sequence[Suspect]) -> None:
    """Write file,split,given,likely,probability as CSV, in the given order (`csv_cells`)."""
    rows: list[list[object]] = [[field.name for field in fields(Suspect)]]
    for suspect in suspects:
        *words, probability = astuple(suspect)
        rows.append([*words, f"{probability:.4f}"])
    files.write_text(path, csv_cells.text(rows))
