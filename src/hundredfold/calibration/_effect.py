"""What the bounds of a calibration do on a scored split."""

from typing import Any

import numpy as np

from hundredfold import metrics
from hundredfold.calibration._calibration import unknown
from hundredfold.calibration._stored import of
from hundredfold.run import Run


def effect(run: Run, split: str) -> dict[str, Any]:
    """Return temperature, and what the bounds in force do on the stored logits of a split.

    "reject": rule, threshold, coverage (fraction of images that is accepted), accuracy of those
    with its 95 % interval, None where none is. "sets": coverage as stated, threshold, covered (the
    fraction whose true class is in its set) with its interval, and mean_size in classes.
    """
    how = of(run)
    found: dict[str, Any] = {"temperature": how.temperature, "n": how.n}
    if how.reason:
        found["reason"] = how.reason
    logits = run.logits(split)
    labels = None if logits is None else run.labels(split)
    if logits is None or labels is None:
        return found
    probabilities = how.probabilities(logits)
    if how.reject is not None:
        accepted = ~how.reject.rejects(unknown(probabilities))
        correct = (logits.argmax(axis=1) == labels)[accepted]
        found["reject"] = {
            "rule": how.reject.rule,
            "threshold": how.reject.threshold,
            "coverage": _fraction(accepted),
            "accuracy": _fraction(correct),
        }
    if how.sets is not None:
        members = how.sets.members(probabilities)
        found["sets"] = {
            "coverage": how.sets.coverage,
            "threshold": how.sets.threshold,
            "covered": _fraction(members[np.arange(len(labels)), labels]),
            "mean_size": float(members.sum(axis=1).mean()),
        }
    return found


def _fraction(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any] | None:
    if not len(flags):
        return None
    value = float(flags.mean())
    low, high = metrics.wilson(value, len(flags))
    return {"value": value, "low": low, "high": high, "n": len(flags)}
