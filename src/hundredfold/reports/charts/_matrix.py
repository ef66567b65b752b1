"""A confusion matrix as a drawing: correct predictions blue, mistakes orange.

Cells of one colour are one path, so that ten thousand cells make a small file. From the
drawing's data page.js shows the count under the pointer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hundredfold import wording
from hundredfold.reports.charts._marks import drawing, path, rectangle, text
from hundredfold.reports.html import Markup, tag

LEVELS = 7  # shades of a colour
PALEST = 0.1  # fraction of the row below which a mistake never gets the darkest shade
NUMBERED = 24  # largest number of classes at which cells show their counts
SIDE, CROWDED_SIDE = 560, 720  # pixels; the larger with labels for more than 50 classes
WIDEST = 230  # pixels; the widest label

Counts = NDArray[np.int64]
Block = tuple[int, int, str]


@dataclass(frozen=True)
class Grid:
    """The top left corner, the size of a cell and the side of the matrix, in pixels."""

    left: float
    top: float
    cell: float
    side: float


def matrix(counts: Counts, names: Sequence[str], groups: Sequence[str], title: str) -> Markup:
    """Draw counts (classes, classes), rows true and columns predicted.

    A cell's colour is its fraction of the row.

    groups: the superclass of each class, equal ones adjacent; empty without superclasses.
    """
    n = len(names)
    blocks = _blocks(groups) if groups else [(k, k + 1, name) for k, name in enumerate(names)]
    side = SIDE if groups or n <= 50 else CROWDED_SIDE
    cell = min(max(side / n, 3.0), 46)
    size = min(11.0, max(cell * (blocks[0][1] - blocks[0][0]), 6.5))
    left = min(max(len(label) for _, _, label in blocks) * size * 0.6, WIDEST) + 14
    grid = Grid(max(left, 84), max(left * 0.68 + 12, 44), cell, cell * n)
    return drawing(
        grid.left + grid.side + left * 0.55 + 4,
        grid.top + grid.side + 8,
        title,
        rectangle(grid.left, grid.top, grid.side, grid.side, "ground"),
        _cells(counts, grid),
        _outlines(blocks, grid) if groups else "",
        _names(blocks, grid, size),
        _numbers(counts, grid) if n <= NUMBERED else "",
        rectangle(grid.left, grid.top, grid.side, grid.side, "frame"),
        kind="heat",
        data={"matrix": _data(counts, names, groups, grid)},
    )


def levels(counts: Counts) -> Counts:
    """Return the shade of each cell: 0 if empty, else 1..LEVELS by its fraction of the row.

    The darkest shade of mistakes is the largest fraction, or PALEST if that is larger. So the
    few mistakes of a good network stay pale.
    """
    fraction = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wrong = ~np.eye(len(counts), dtype=bool)
    highest = np.where(wrong, max(float(fraction[wrong].max(initial=0)), PALEST), 1.0)
    level = np.ceil(LEVELS * fraction / highest).astype(np.int64)
    return np.where(counts > 0, np.clip(level, 1, LEVELS), 0)


def _cells(counts: Counts, grid: Grid) -> Markup:
    graded, correct = levels(counts), np.eye(len(counts), dtype=bool)
    paths = []
    for kind, where in (("wrong", ~correct), ("correct", correct)):
        for level in range(1, LEVELS + 1):
            cells = np.argwhere(where & (graded == level)).tolist()
            steps = "".join(f"M{x} {y}h1v1h-1z" for y, x in cells)
            if steps:
                paths.append(tag("path", {"d": steps, "class": f"{kind} k{level}"}))
    move = f"translate({grid.left:.2f} {grid.top:.2f}) scale({grid.cell:.4f})"
    return tag("g", {"transform": move}, *paths)


def _blocks(labels: Sequence[str]) -> list[Block]:
    """Return (first, end, label) of each run of equal labels."""
    starts = [k for k, label in enumerate(labels) if k == 0 or label != labels[k - 1]]
    return [(a, b, labels[a]) for a, b in zip(starts, [*starts[1:], len(labels)], strict=True)]


def _outlines(blocks: Sequence[Block], grid: Grid) -> Markup:
    lines = []
    right, bottom = grid.left + grid.side, grid.top + grid.side
    for first, end, _ in blocks:
        x, y, size = (
            grid.left + first * grid.cell,
            grid.top + first * grid.cell,
            (end - first) * grid.cell,
        )
        lines.append(rectangle(x, y, size, size, "block"))
        if first:
            lines.append(path([(x, grid.top), (x, bottom)], "rule"))
            lines.append(path([(grid.left, y), (right, y)], "rule"))
    return tag("g", {}, *lines)


def _names(blocks: Sequence[Block], grid: Grid, size: float) -> Markup:
    kind = "tick" if size > 9.5 else "tick tiny" if size > 7.5 else "tick crowded"
    x, turn = (2.0, -45) if size > 9.5 else (size * 0.35, -90)
    fits = int(WIDEST / (size * 0.6))
    words = [
        text(grid.left - 8, grid.top - 23, "predicted →", "label", anchor="end"),
        text(grid.left - 8, grid.top - 8, "true ↓", "label", anchor="end"),
    ]
    for first, end, label in blocks:
        middle = (first + end) / 2 * grid.cell
        brief = label if len(label) <= fits else label[: fits - 1] + "…"
        below = grid.top + middle + size * 0.35
        words.append(text(grid.left - 7, below, brief, kind, anchor="end"))
        words.append(text(grid.left + middle + x, grid.top - 7, brief, kind, turn=turn))
    return tag("g", {}, *words)


def _numbers(counts: Counts, grid: Grid) -> Markup:
    graded, words = levels(counts), []
    for row, column in np.argwhere(counts > 0).tolist():
        strong = graded[row, column] >= (5 if row == column else 6)
        x, y = (grid.left + (column + 0.5) * grid.cell, grid.top + (row + 0.5) * grid.cell + 4)
        kind = "cell strong" if strong else "cell"
        number = wording.count(int(counts[row, column]))
        words.append(text(x, y, number, kind, anchor="middle"))
    return tag("g", {}, *words)


def _data(
    counts: Counts, names: Sequence[str], groups: Sequence[str], grid: Grid
) -> dict[str, object]:
    """Return the data for page.js; a row is column, count, column, count, ..."""
    rows = [[v for k in np.flatnonzero(row).tolist() for v in (k, int(row[k]))] for row in counts]
    return {
        "left": grid.left,
        "top": grid.top,
        "cell": grid.cell,
        "names": list(names),
        "groups": list(groups),
        "rows": rows,
        "totals": counts.sum(axis=1).tolist(),
    }
