"""Logits that are computed once and stored, with the digests of their images and weights."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import data
from hundredfold.classifier import Classifier, need_finite
from hundredfold.data import DataSet, Split
from hundredfold.errors import DataError, MissingError
from hundredfold.run import Run, digests
from hundredfold.weights import files as weight_files

_KINDS = ("images", "weights")  # whose digests are stored with the logits
_BLOCK = 1024  # images
_LOG = logging.getLogger(__name__)


def bring_up_to_date(
    run: Run,
    split: str,
    part: Split,
    dataset: DataSet,
    cache: Path,
    open_classifier: Callable[[], Classifier],
) -> None:
    """Compute and store a split's logits, unless those of the same images and weights are."""
    scored = _digests(part, dataset.classes, _weights(run))
    stored = run.has_logits(split)
    before = run.scored(split) if stored else {}
    current = scored.items() <= before.items()
    if stored and current and _is_intact(run, split, before):
        return
    if stored and current:
        _LOG.warning("warning: scoring again, because the stored logits of %s are damaged", split)
    elif stored:
        changed = [kind for kind in _KINDS if scored.get(kind) != before.get(kind)]
        _LOG.warning(
            "warning: scoring again, because the %s %s not those of the stored scores",
            f"{split} images" if changed[0] == "images" else "weights",
            "are" if before else "may be",
        )
    logits = need_finite(open_classifier().logits(part.pixels, part.indices))
    if split == "test":
        own = dataset.digest == run.info["data"].get("digest")
        run.save_unseen(data.unseen(dataset, cache) if own else None)  # None: not known
    _save(run, split, part, logits, scored)


def store_validation(
    run: Run, part: Split, logits: NDArray[np.float32], classes: Sequence[str]
) -> None:
    """Store validation logits (n, classes) of weights/best with the digests of what they are of.

    Call it only within `run.writer()`.
    """
    _save(run, "validation", part, logits, _digests(part, classes, run.best()))


def _is_intact(run: Run, split: str, scored: Mapping[str, str]) -> bool:
    """Return whether a split's stored arrays are those of its digest; True if it has none."""
    try:
        arrays = run.logits(split), run.labels(split), run.rows(split)
    except DataError:
        return False
    return scored.get("stored", "") in ("", digests.of_arrays(*arrays))


def _save(
    run: Run, split: str, part: Split, logits: NDArray[np.float32], scored: dict[str, str]
) -> None:
    """Store the logits of a split and the digests that tell what they are of."""
    arrays = logits, part.labels[part.indices].astype(np.int64), part.indices.astype(np.int64)
    run.save_logits(split, *arrays, scored | {"stored": digests.of_arrays(*arrays)})


def _weights(run: Run) -> Path | None:
    with suppress(MissingError):
        return run.weights_to_use()[0]
    return None


def is_of_other_weights(run: Run, split: str) -> bool:
    """Return whether a split's stored logits are of other weights than the run's, if known."""
    before = run.scored(split).get("weights") if run.has_logits(split) else None
    weights = _weights(run) if before else None
    return weights is not None and _weights_digest(weights) != before


def _digests(part: Split, classes: Sequence[str], weights: Path | None) -> dict[str, str]:
    """Return SHA-256 digests: "images", with their labels, and "weights", if there are any."""
    found = {"images": _digest(part, classes)}
    return found if weights is None else found | {"weights": _weights_digest(weights)}


def _weights_digest(weights: Path) -> str:
    with weight_files.opened(weights):  # of a sound size
        return digests.of_file(weights)


def _digest(part: Split, classes: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([len(part), list(classes)]).encode())
    digest.update(part.labels[part.indices].astype("<i8").tobytes())
    for first in range(0, len(part), _BLOCK):
        rows = part.indices[first : first + _BLOCK]
        digest.update(np.ascontiguousarray(part.pixels[rows]).data)
    return digest.hexdigest()
