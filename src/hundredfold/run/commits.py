"""Find the intact checkpoints of a run by the commits in its state/, without decoding tensors.

A checkpoint's commit, `state/<step>.json`, names its files with their SHA-256, and contains its
own SHA-256. Where that does not match or is missing, there is no checkpoint.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hundredfold.errors import DataError
from hundredfold.run import plain, reading, schema

_NAME = re.compile(r"\d{1,18}\.json")
_LARGEST = 1 << 36  # bytes of a file of tensors


def paths(folder: Path) -> list[Path]:
    """Return the commits of a folder by step, damaged ones included."""
    return sorted(path for path in folder.glob("*.json") if _NAME.fullmatch(path.name))


def whole(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return the intact commits with their paths, by step; their files are not verified."""
    commits = []
    for path in paths(folder):
        try:
            commits.append((path, read(path)))
        except DataError:
            continue
    return commits


def read(path: Path) -> dict[str, Any]:
    """Return a commit without its own SHA-256. Raises DataError where it is damaged."""
    content = plain.content(path.parent, path.name, reading.LARGEST_COMMIT)
    commit = reading.parsed(content, str(path))
    claimed = commit.pop("sha256", None) if isinstance(commit, dict) else None
    if claimed != digest(commit):
        raise reading.damaged(str(path), "it does not match its own SHA-256")
    reading.checked(commit, schema.Commit, str(path))
    reading.rows(commit["position"].get("curve", "").encode(), str(path))
    return dict(commit)


def digest(commit: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a commit."""
    return hashlib.sha256(json.dumps(commit, sort_keys=True).encode()).hexdigest()


def verified(folder: Path, entry: Mapping[str, Any]) -> Path:
    """Return the path of a file of a commit. Raises DataError where its SHA-256 is wrong."""
    path = folder / str(entry["file"])
    with plain.opened(folder, entry["file"], int(entry.get("bytes", _LARGEST))) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
            raise reading.damaged(str(path), "it does not match its SHA-256")
    return path


def newest_best(folder: Path) -> tuple[Path, int] | None:
    """Return the best weights' file and epoch of the newest intact checkpoint that has them."""
    for _, commit in reversed(whole(folder)):
        if "best" not in commit or commit["position"].get("best", {}).get("epoch") is None:
            continue
        try:
            return verified(folder, commit["best"]), int(commit["position"]["best"]["epoch"])
        except DataError:
            continue
    return None
