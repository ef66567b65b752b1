"""What makes the logits of a run into probabilities that can be believed: calibration.json.

- temperature: logits are divided by it (Guo et al. 2017, arXiv:1706.04599).
- unknown: generalised entropy of the probabilities (GEN; Liu, Lochman & Zach 2023, CVPR, eq. 2).
- reject: the bound of `unknown` above which an image is said to be of no class.
- sets: the least probability of a class in a label set (split conformal prediction).

All of it is fitted on validation logits, never on the test split. What reads runs is imported when
its name is first used: a server has no use for it.
"""

import importlib
from typing import Any

_MODULES = {
    "GAMMA": "_calibration",
    "MOST": "_calibration",
    "Calibration": "_calibration",
    "LabelSets": "_calibration",
    "Rejection": "_calibration",
    "unknown": "_calibration",
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
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
