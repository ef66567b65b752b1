"""What --resume needs: one immutable file a save, and a small commit written last.

A save is `state/<step>.safetensors` with every tensor, perhaps `state/best-<epoch>.safetensors`,
and then `state/<step>.json`, which names both with their SHA-256 and holds its own. Only a
save with its commit exists; one whose hash does not match is passed over, out loud, for the
one before.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as decode
from safetensors.torch import save as encode
from torch import Tensor

from hundredfold import files
from hundredfold.errors import CheckError

KEPT = 2
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError)


@dataclass(frozen=True)
class Saved:
    """A save: tensors, where training was (JSON values), the best weights so far."""

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
    """Write a save and let go of all but the newest `KEPT`.

    step: optimizer steps since the start, the save's name. The best weights are written
    once for each epoch that became the best.
    """
    commit: dict[str, Any] = {"position": dict(position)}
    commit["tensors"] = _write(folder / f"{step:010d}.safetensors", tensors)
    if best:
        commit["best"] = _write_once(folder / f"best-{best_epoch:06d}.safetensors", best)
    files.write_json(folder / f"{step:010d}.json", commit | {"sha256": _digest(commit)})
    _rotate(folder)


def load(folder: Path, say: Callable[[str], None]) -> Saved | None:
    """Return the newest undamaged save, or None where there has been none.

    Raises CheckError where there are saves and every one is damaged.
    """
    commits = sorted(folder.glob("[0-9]*.json"), reverse=True)
    for number, path in enumerate(commits):
        try:
            saved = _read(path)
            for damaged in commits[:number]:
                damaged.unlink()
            return saved
        except _DAMAGE as error:
            say(f"the saved state {path.name} is damaged ({error}); trying the one before")
    if commits:
        raise CheckError(
            f"every saved state in {str(folder)!r} is damaged",
            remedy="train again under another --name",
        )
    return None


def weights_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return a safetensors file's bytes; equal tensors and metadata give equal bytes."""
    content = encode({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    if not metadata:
        return content
    # the library writes metadata in an order that changes from one process to the next
    end = 8 + int.from_bytes(content[:8], "little")
    header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(content[8:end])}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


def _read(path: Path) -> Saved:
    commit = json.loads(path.read_text(encoding="utf-8"))
    if commit.pop("sha256", None) != _digest(commit):
        raise ValueError("it does not match its own SHA-256")
    tensors = decode(_verified(path.parent, commit["tensors"]))
    best = decode(_verified(path.parent, commit["best"])) if "best" in commit else {}
    return Saved(tensors, dict(commit["position"]), best)


def _digest(commit: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(commit, sort_keys=True).encode()).hexdigest()


def _verified(folder: Path, entry: Mapping[str, str]) -> bytes:
    content = (folder / entry["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ValueError(f"{entry['file']} does not match its SHA-256")
    return content


def _write(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    content = weights_bytes(tensors, {})
    files.write(path, content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}


def _write_once(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    content = weights_bytes(tensors, {})
    entry = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}
    try:
        _verified(path.parent, entry)
    except (OSError, ValueError):
        files.write(path, content)
    return entry


def _rotate(folder: Path) -> None:
    commits = sorted(folder.glob("[0-9]*.json"))
    for old in commits[:-KEPT]:
        old.unlink()
    kept = set()
    for path in commits[-KEPT:]:
        commit = json.loads(path.read_text(encoding="utf-8"))
        kept |= {commit[key]["file"] for key in ("tensors", "best") if key in commit}
    for path in folder.glob("*.safetensors"):
        if path.name not in kept:
            path.unlink()
