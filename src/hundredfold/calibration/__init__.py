"""What makes the logits of a run into probabilities that can be believed: calibration.json.

- temperature: logits are divided by it (Guo et al. 2017, arXiv:1706.04599).
- unknown: generalised entropy of the probabilities (GEN; Liu, Lochman & Zach 2023, CVPR, eq. 2).
- reject: the bound of `unknown` above which an image is said to be of no class.
- sets: the least probability of a class in a label set (split conformal prediction).

All of it is fitted on validation logits, never on the test split. What reads runs is imported when
its name is first used: a server has no use for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from hundredfold.calibration._calibration import (
    GAMMA,
    MOST,
    Calibration,
    LabelSets,
    Rejection,
    unknown,
)

if TYPE_CHECKING:
    from hundredfold.calibration._effect import effect
    from hundredfold.calibration._sets import label_sets
    from hundredfold.calibration._stored import fit, need_rules, of, refresh, store
    from hundredfold.calibration._temperature import scaled
    from hundredfold.calibration._unknown import Selective, rejection, selective

__all__ = [
    "GAMMA",
    "MOST",
    "Calibration",
    "LabelSets",
    "Rejection",
    "Selective",
    "effect",
    "fit",
    "label_sets",
    "need_rules",
    "of",
    "refresh",
    "rejection",
    "scaled",
    "selective",
    "store",
    "unknown",
]

_MODULES = {
    "Selective": "_unknown",
    "effect": "_effect",
    "fit": "_stored",
    "label_sets": "_sets",
    "need_rules": "_stored",
    "of": "_stored",
    "refresh": "_stored",
    "rejection": "_unknown",
    "scaled": "_temperature",
    "selective": "_unknown",
    "store": "_stored",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
