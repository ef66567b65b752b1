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


def percent(share: float | None, digits: int = 2) -> str:
    """Return 0.8046 as "80.46 %"; "-" for None."""
    return "-" if share is None else f"{share:.{digits}%}".replace("%", " %")


def size(count: float) -> str:
    """Return bytes as people say them: "12 kB", "3.4 GB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float) -> str:
    """Return seconds as people say them: "48 s", "3:20 min", "2:05 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"
