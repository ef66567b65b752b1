"""Score a run's best weights on a split from stored logits, which are computed once."""

from hundredfold.evaluation._evaluate import SPLITS, evaluate, renew_validation, score
from hundredfold.evaluation._images import images, source_of
from hundredfold.evaluation._stored import store_validation
from hundredfold.evaluation._tables import write_predictions

__all__ = [
    "SPLITS",
    "evaluate",
    "images",
    "renew_validation",
    "score",
    "source_of",
    "store_validation",
    "write_predictions",
]
