"""Probes fitted to frozen features, and their cache.

    cache/probes/<key>/probes.safetensors    a linear probe of each kind; accuracies in about.json

The key is a digest of features, labels, seed and threads, which determine every bit.
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

KEPT = 24  # entries in the cache, about 1 MB each
_FILE = "probes.safetensors"
_KINDS = ("ridge", "logistic")
_SAMPLE = 2000  # validation images for k-NN, approximately: all would take as long as a probe
_VERSION = 3  # increase it when the same features would give other probes


class FittedProbes(NamedTuple):
    """Weight and bias of each linear probe, and the validation accuracy of all three probes."""

    heads: dict[str, tuple[Tensor, Tensor]]
    accuracy: dict[str, float]

    @property
    def best(self) -> str:
        """The kind of linear probe with the higher accuracy."""
        return max(self.heads, key=lambda kind: self._accuracy(kind))

    def _accuracy(self, kind: str) -> float:
        return next(value for name, value in self.accuracy.items() if name.startswith(kind))


def fit_probes(
    features: Tensor,
    labels: Tensor,
    val_features: Tensor,
    val_labels: Tensor,
    *,
    classes: int,
    seed: int,
    cache: Path,
) -> FittedProbes:
    """Return the probes of standardised features (n, channels), from the cache or fitted now.

    labels: (n,). val_features, val_labels: of the validation images, which choose strengths and
    are scored. seed: of logistic regression.
    """
    store = Store(cache, "probes", version=_VERSION, keep=KEPT)
    digests = _digests((features, labels, val_features, val_labels))
    key = store.key(digests, classes, seed, torch.get_num_threads())
    fit = partial(_fit, features, labels, val_features, val_labels, classes, seed)
    try:
        return _read(store.make(key, lambda folder: _write(folder, fit())))
    except (DataError, UsageError):  # the cache is not writable, or has no locks
        return fit()


def _fit(
    features: Tensor,
    labels: Tensor,
    val_features: Tensor,
    val_labels: Tensor,
    classes: int,
    seed: int,
) -> FittedProbes:
    sample = slice(None, None, max(1, len(val_features) // _SAMPLE))
    votes = probes.knn_votes(features, labels, val_features[sample], classes=classes)
    accuracy = {"k-NN": float((votes.argmax(1) == val_labels[sample]).float().mean())}
    arrays = (features, labels, val_features, val_labels)
    heads = {}
    for kind, probe in {
        "ridge": probes.ridge(*arrays, classes=classes),
        "logistic": probes.logistic(*arrays, classes=classes, seed=seed),
    }.items():
        heads[kind] = probe.weight, probe.bias
        accuracy[f"{kind}, strength {probe.strength:g}"] = probe.top_1
    return FittedProbes(heads, accuracy)


def _digests(tensors: Iterable[Tensor]) -> list[Any]:
    """Return the shape and the sha256 of each tensor."""
    return [[list(t.shape), hashlib.sha256(t.flatten().numpy().data).hexdigest()] for t in tensors]


def _write(folder: Path, fitted: FittedProbes) -> dict[str, float]:
    tensors: dict[str, Tensor] = {}
    for kind, (weight, bias) in fitted.heads.items():
        tensors |= {f"{kind}.weight": weight.contiguous(), f"{kind}.bias": bias.contiguous()}
    weight_files.write(folder / _FILE, tensors, {})
    return fitted.accuracy


def _read(entry: Entry) -> FittedProbes:
    with weight_files.opened(entry.folder / _FILE) as contents:
        tensors = contents.tensors(contents.entries)
    heads = {kind: (tensors[f"{kind}.weight"], tensors[f"{kind}.bias"]) for kind in _KINDS}
    return FittedProbes(heads, entry.facts)
