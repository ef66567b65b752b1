"""Count the files of a folder that are not images of a class, by kind."""

import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from hundredfold.data import _walk


def passed_over(root: Path, used: Collection[Path]) -> dict[str, int]:
    """Return kind -> number of files below a folder that are not read: ".txt", "hidden" ...

    used: the files that are images of a class. Links to folders are not followed.
    """
    kinds: Counter[str] = Counter()
    taken = {os.fspath(file) for file in used}
    for folder, folders, names in os.walk(root):
        for name in (name for name in list(folders) if _walk.hidden(name)):
            folders.remove(name)
            kinds["hidden folder"] += 1
        kinds.update(_kind(name) for name in names if os.path.join(folder, name) not in taken)  # noqa: PTH118
    return dict(sorted(kinds.items()))


def _kind(name: str) -> str:
    suffix = Path(name).suffix.lower()
    if _walk.hidden(name):
        return "hidden"
    if suffix in _walk.SUFFIXES:
        return "image without a class"
    return suffix or "without a suffix"
