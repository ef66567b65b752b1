"""Heads solved on frozen features, found once and kept in the cache.

    cache/heads/<key>.safetensors    a dense head of each kind; what they got right as metadata

The key is a digest of features, labels, seed and threads: of all that decides the bits.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from hundredfold import weights
from hundredfold.errors import DataError, MissingError
from hundredfold.training import heads

KEPT = 24  # files that stay in the cache, about a megabyte each
_FORMAT = 1
_KINDS = ("ridge", "logistic")
_SOME = 2000  # about so many others are compared with all known: all cost what a head does


class Heads(NamedTuple):
    """Solved heads by kind, and the validation top-1 of these and of nearest neighbours."""

    dense: dict[str, tuple[Tensor, Tensor]]
    right: dict[str, float]


def solve(
    known: Tensor,
    labels: Tensor,
    others: Tensor,
    their: Tensor,
    *,
    classes: int,
    seed: int,
    cache: Path,
) -> Heads:
    """Return a head of each kind for standard features (n, channels), from the cache or anew.

    others, their: features and labels that choose strengths and are scored.
    """
    facts = (_FORMAT, classes, seed, torch.get_num_threads())
    place = cache / "heads" / f"{_digest(facts, (known, labels, others, their))}.safetensors"
    if (found := _read(place, classes, known.shape[1])) is None:
        found = _solve(known, labels, others, their, classes, seed)
        _write(place, found)
    place.touch()
    for old in sorted(place.parent.glob("*.safetensors"), key=_age)[KEPT:]:
        old.unlink(missing_ok=True)
    return found


def _solve(
    known: Tensor, labels: Tensor, others: Tensor, their: Tensor, classes: int, seed: int
) -> Heads:
    some = slice(None, None, max(1, len(others) // _SOME))
    votes = heads.nearest(known, labels, others[some], classes=classes)
    right = {"nearest": float((votes.argmax(1) == their[some]).float().mean())}
    given = (known, labels, others, their)
    dense = {}
    for kind, one in {
        "ridge": heads.ridge(*given, classes=classes),
        "logistic": heads.logistic(*given, classes=classes, seed=seed),
    }.items():
        dense[kind] = one.weight, one.bias
        right[f"{kind}, strength {one.strength:g}"] = one.top_1
    return Heads(dense, right)


def _digest(facts: tuple[int, ...], tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(facts).encode())
    for tensor in tensors:
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.flatten().numpy().data)
    return digest.hexdigest()[:32]


def _write(place: Path, found: Heads) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for kind, (weight, bias) in found.dense.items():
        tensors |= {f"{kind}.weight": weight.contiguous(), f"{kind}.bias": bias.contiguous()}
    weights.write(place, tensors, {"right": json.dumps(found.right)})


def _read(place: Path, classes: int, channels: int) -> Heads | None:
    """Return what a file holds; None where there is none, or a damaged one."""
    dense = {}
    try:
        with weights.opened(place) as contents:
            for kind in _KINDS:
                shapes = {f"{kind}.weight": (classes, channels), f"{kind}.bias": (classes,)}
                if any(contents.entries[name].shape != shape for name, shape in shapes.items()):
                    return None
                weight, bias = contents.tensors(shapes).values()
                dense[kind] = weight, bias
            right = {str(k): float(v) for k, v in json.loads(contents.metadata["right"]).items()}
    except (MissingError, DataError, KeyError, ValueError):
        return None
    return Heads(dense, right)


def _age(place: Path) -> float:
    """Order files from the newest to the oldest; one that is being removed is old."""
    try:
        return -place.stat().st_mtime
    except OSError:
        return 0.0
