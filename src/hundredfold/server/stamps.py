"""Tell whether a file was replaced."""

from pathlib import Path


def stamp_of(path: Path) -> list[int]:
    """Return what changes when a file is replaced or written. Empty where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return []
    return [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns]
