"""Sources of one set of photos: archives, and tables of paths and labels."""

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from hundredfold.data import Source

Photos = Callable[..., Path]
TEXT = "image_folder(size=16)"


def at(path: Path, tmp_path: Path, cache: str = "cache") -> Source:
    return Source(folder=path, cache=tmp_path / cache, offline=True)


def zipped(root: Path, file: Path, inside: str = "photos") -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(root.rglob("*.png"), reverse=True):
            archive.write(path, Path(inside) / path.relative_to(root))
    return file


def tarred(root: Path, file: Path) -> Path:
    with tarfile.open(file, "w:gz" if file.name.endswith("gz") else "w") as archive:
        archive.add(root, "photos")
    return file


def table(root: Path, lines: list[str], name: str = "labels.csv") -> Path:
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / name


def rows_of(root: Path) -> list[str]:
    files = sorted(root.rglob("*.png"))
    return [f"{f.relative_to(root).as_posix()},{f.parent.name}" for f in files]
