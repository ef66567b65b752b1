"""Plain-text tables for terminals and files."""

from collections.abc import Sequence

from rich.cells import cell_len

from hundredfold.wording import visible


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return aligned lines: the first `left` columns left-aligned, the others right-aligned."""
    lines = [[visible(cell) for cell in line] for line in (head, *rows)]
    widths = [max(cell_len(line[k]) for line in lines) for k in range(len(head))]
    return "".join(_line(line, widths, left) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    padded = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - cell_len(cell))
        padded.append(cell + space if column < left else space + cell)
    return "  ".join(padded).rstrip() + "\n"
