"""Saves for --resume: immutable files of tensors, and a small commit written last.

A save is `state/<step>.safetensors` with every tensor, `state/best-<epoch>-<a or b>` where there is
a best epoch, and `state/<step>.json`, which holds the SHA-256 of both and its own. A save counts
only with its commit. One whose hash does not match is reported and skipped for the one before. The
two saves that are kept share no file, so no single damage reaches both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as decode
from torch import Tensor

from hundredfold import files
from hundredfold.errors import CheckError, DataError
from hundredfold.run import commits
from hundredfold.weights import files as weight_files

KEPT = 2
_DAMAGE = (DataError, OSError, ValueError, SafetensorError)


@dataclass(frozen=True)
class Saved:
    """A save: tensors, the position of the training (JSON values), and the best weights so far."""

    tensors: dict[str, Tensor]
    position: dict[str, Any]
    best: dict[str, Tensor]


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    position: Mapping[str, Any],
    best: Mapping[str, Tensor],
    best_epoch: int,
) -> None:
    """Write a save and remove all but the newest `KEPT`.

    step: optimizer steps since the start, the save's name. Damaged saves of later steps are
    removed. The best weights of an epoch are written to two files at most, `a` and `b`.
    """
    commit: dict[str, Any] = {"position": dict(position)}
    commit["tensors"] = _write(folder / f"{step:010d}.safetensors", tensors)
    if best:
        before = [entries for path, entries in commits.whole(folder) if int(path.stem) < step]
        latest = before[-1].get("best", {}).get("file", "") if before else ""
        slot = "b" if latest.endswith("-a.safetensors") else "a"
        commit["best"] = _write_once(folder / f"best-{best_epoch:06d}-{slot}.safetensors", best)
    files.write_json(folder / f"{step:010d}.json", commit | {"sha256": commits.digest(commit)})
    _rotate(folder, step)


def load(folder: Path, say: Callable[[str], None]) -> Saved | None:
    """Return the newest undamaged save, or None where there is none; say: logs damaged ones.

    Raises CheckError where there are saves and every one is damaged.
    """
    saves = commits.paths(folder)
    for path in reversed(saves):
        try:
            return _read(path)
        except _DAMAGE as error:
            reason = error.found if isinstance(error, DataError) else error
            say(f"the saved state {path.name} is damaged ({reason}); trying the one before")
    if saves:
        raise CheckError(
            f"every saved state in {str(folder)!r} is damaged",
            remedy="train again under another --name",
        )
    return None


def _read(path: Path) -> Saved:
    commit = commits.read(path)
    tensors = decode(commits.verified(path.parent, commit["tensors"]).read_bytes())
    best = {}
    if "best" in commit:
        best = decode(commits.verified(path.parent, commit["best"]).read_bytes())
    return Saved(tensors, dict(commit["position"]), best)


def _write(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    digest = weight_files.write(path, tensors, {})
    return {"file": path.name, "sha256": digest, "bytes": path.stat().st_size}


def _write_once(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    size = weight_files.size(tensors)
    entry = {"file": path.name, "sha256": weight_files.digest_of(tensors), "bytes": size}
    try:
        commits.verified(path.parent, entry)
    except DataError:
        return _write(path, tensors)
    return entry


def _rotate(folder: Path, step: int) -> None:
    """Remove old saves, commits first, so that no commit names a missing file."""
    before = [(path, entries) for path, entries in commits.whole(folder) if int(path.stem) <= step]
    kept = before[-KEPT:]
    names = {path.name for path, _ in kept}
    names |= {
        entries[k]["file"] for _, entries in kept for k in ("tensors", "best") if k in entries
    }
    for pattern in ("[0-9]*.json", "*.safetensors"):
        for path in folder.glob(pattern):
            if path.name not in names:
                path.unlink()
