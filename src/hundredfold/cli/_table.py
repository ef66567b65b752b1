"""Plain tables that read the same on a terminal and in a file."""

from collections.abc import Sequence

from rich.cells import cell_len


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return aligned lines, the first `left` columns to the left and the others to the right."""
    lines = [head, *rows]
    widths = [max(cell_len(line[k]) for line in lines) for k in range(len(head))]
    return "".join(_line(line, widths, left) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    padded = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - cell_len(cell))
        padded.append(cell + space if place < left else space + cell)
    return "  ".join(padded).rstrip() + "\n"
