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

from hundredfold.engines.pytorch import probes
from hundredfold.errors import DataError, MissingError
from hundredfold.weights import files as weight_files

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
    if (found := _read(place)) is None:
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
    votes = probes.nearest(known, labels, others[some], classes=classes)
    right = {"nearest": float((votes.argmax(1) == their[some]).float().mean())}
    given = (known, labels, others, their)
    dense = {}
    for kind, one in {
        "ridge": probes.ridge(*given, classes=classes),
        "logistic": probes.logistic(*given, classes=classes, seed=seed),
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
    right = json.dumps(found.right)
    weight_files.write(place, tensors, {"right": right, "seal": _seal(tensors, right)})


def _read(place: Path) -> Heads | None:
    """Return what a file holds; None where there is none, or a damaged one."""
    try:
        with weight_files.opened(place) as contents:
            tensors, right = contents.tensors(contents.entries), contents.metadata["right"]
            if contents.metadata["seal"] != _seal(tensors, right):
                return None
    except (MissingError, DataError, KeyError):
        return None
    dense = {kind: (tensors[f"{kind}.weight"], tensors[f"{kind}.bias"]) for kind in _KINDS}
    return Heads(dense, json.loads(right))


def _seal(tensors: dict[str, Tensor], right: str) -> str:
    return hashlib.sha256(f"{weight_files.digest_of(tensors)} {right}".encode()).hexdigest()


def _age(place: Path) -> float:
    """Order files from the newest to the oldest; one that is being removed is old."""
    try:
        return -place.stat().st_mtime
    except OSError:
        return 0.0
