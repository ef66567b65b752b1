"""Heads solved on frozen features, found once and kept in the cache.

    cache/heads/<key>/heads.safetensors    a dense head of each kind; accuracies in about.json

The key is a digest of features, labels, seed and threads: of all that decides the bits.
"""

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hundredfold.cache import Entry, Store
from hundredfold.engines.pytorch import probes
from hundredfold.errors import DataError, UsageError
from hundredfold.weights import files as weight_files

KEPT = 24  # heads that stay in the cache, about a megabyte each
_FILE = "heads.safetensors"
_KINDS = ("ridge", "logistic")
_SOME = 2000  # about so many others are compared with all known: all cost what a head does
_VERSION = 2  # raise it when the same features would give other heads


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
    store = Store(cache, "heads", version=_VERSION, keep=KEPT)
    features = _digests((known, labels, others, their))
    key = store.key(features, classes, seed, torch.get_num_threads())
    solution = partial(_solve, known, labels, others, their, classes, seed)
    try:
        return _read(store.make(key, lambda folder: _write(folder, solution())))
    except (DataError, UsageError):  # a cache that cannot be written, or has no locks
        return solution()


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


def _digests(tensors: Iterable[Tensor]) -> list[Any]:
    """Return the shape and the sha256 of each tensor."""
    return [[list(t.shape), hashlib.sha256(t.flatten().numpy().data).hexdigest()] for t in tensors]


def _write(folder: Path, heads: Heads) -> dict[str, float]:
    tensors: dict[str, Tensor] = {}
    for kind, (weight, bias) in heads.dense.items():
        tensors |= {f"{kind}.weight": weight.contiguous(), f"{kind}.bias": bias.contiguous()}
    weight_files.write(folder / _FILE, tensors, {})
    return heads.right


def _read(entry: Entry) -> Heads:
    with weight_files.opened(entry.folder / _FILE) as contents:
        tensors = contents.tensors(contents.entries)
    dense = {kind: (tensors[f"{kind}.weight"], tensors[f"{kind}.bias"]) for kind in _KINDS}
    return Heads(dense, entry.facts)
