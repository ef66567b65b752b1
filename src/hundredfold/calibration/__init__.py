"""What makes the logits of a run into probabilities that can be believed: calibration.json.

- temperature: logits are divided by it (Guo et al. 2017, arXiv:1706.04599).
- unknown: generalised entropy of the probabilities (GEN; Liu, Lochman & Zach 2023, CVPR, eq. 2).
- reject: the bound of `unknown` above which an image is said to be of no class.
- sets: the least probability of a class in a label set (split conformal prediction).

All of it is fitted on validation logits, never on the test split.
"""

from hundredfold.calibration._calibration import (
    GAMMA,
    MOST,
    Calibration,
    LabelSets,
    Rejection,
    unknown,
)
from hundredfold.calibration._sets import label_sets
from hundredfold.calibration._stored import fit, of, refresh, store
from hundredfold.calibration._temperature import scaled
from hundredfold.calibration._unknown import Selective, rejection, selective

__all__ = [
    "GAMMA",
    "MOST",
    "Calibration",
    "LabelSets",
    "Rejection",
    "Selective",
    "fit",
    "label_sets",
    "of",
    "refresh",
    "rejection",
    "scaled",
    "selective",
    "store",
    "unknown",
]
