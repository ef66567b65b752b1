"""Find the intact checkpoints of a run by the commits in its state/, without decoding tensors.

A checkpoint's commit, `state/<step>.json`, names its files with their SHA-256, and contains its
own SHA-256. Where that does not match or is missing, there is no checkpoint.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def whole(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return the intact commits with their paths, by step; their files are not verified."""
    commits = []
    for path in sorted(folder.glob("[0-9]*.json")):
        try:
            commits.append((path, read(path)))
        except (ValueError, AttributeError):
            continue
    return commits


def read(path: Path) -> dict[str, Any]:
    """Return a commit without its own SHA-256. Raises ValueError where that does not match."""
    commit = json.loads(path.read_text(encoding="utf-8"))
    if commit.pop("sha256", None) != digest(commit):
        raise ValueError("it does not match its own SHA-256")
    return dict(commit)


def digest(commit: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a commit."""
    return hashlib.sha256(json.dumps(commit, sort_keys=True).encode()).hexdigest()


def verified(folder: Path, entry: Mapping[str, str]) -> bytes:
    """Return the bytes of a file of a commit; ValueError where path or SHA-256 is wrong."""
    if Path(entry["file"]).name != entry["file"]:
        raise ValueError(f"{entry['file']} is outside the folder")
    content = (folder / entry["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ValueError(f"{entry['file']} does not match its SHA-256")
    return content


def newest_best(folder: Path) -> tuple[Path, int] | None:
    """Return the best weights' file and epoch of the newest intact checkpoint that has them."""
    for _, commit in reversed(whole(folder)):
        try:
            verified(folder, commit["best"])
            return folder / commit["best"]["file"], int(commit["position"]["best"]["epoch"])
        except _DAMAGE:
            continue
    return None
