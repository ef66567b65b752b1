"""calibration.json: read it, fit it on the stored validation logits, write it."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import files
from hundredfold.calibration._calibration import Calibration, LabelSets, Rejection, unknown
from hundredfold.calibration._sets import label_sets, need_coverage
from hundredfold.calibration._temperature import scaled
from hundredfold.calibration._unknown import rejection, rule_of
from hundredfold.errors import UsageError
from hundredfold.run import Run, digests

FILE = "calibration.json"
_LOG = logging.getLogger(__name__)


def of(run: Run) -> Calibration:
    """Return a run's calibration; temperature 1 where there is none.

    A calibration of other validation logits than the stored ones is left out, with a warning.
    Raises DataError for a damaged file.
    """
    stored = run.stored("calibration")
    if stored and _is_stale(run, stored):
        _LOG.warning(
            "warning: %s: the calibration is of other validation scores; "
            "evaluate the run with --split validation",
            run.folder,
        )
        return Calibration()
    return _parsed(stored)


def fit(run: Run, reject_at: str = "", sets: float = 0.0) -> Calibration:
    """Return a run's calibration with bounds fitted on its stored validation logits.

    reject_at: "accuracy=0.95" or "coverage=0.95"; "" leaves the stored bound in force.
    sets: coverage of label sets, such as 0.9; 0 leaves the stored ones in force.

    Nothing is written. Raises UsageError where a bound is asked for that is no rule, that these
    images cannot reach, or for which the run has no validation scores.
    """
    known = of(run)
    reject_at = need_rules(reject_at, sets)
    same_rule = not reject_at or (known.reject is not None and known.reject.rule == reject_at)
    if same_rule and (not sets or (known.sets is not None and known.sets.coverage == sets)):
        return known
    logits, labels = _validation(run, "--reject-at" if reject_at else "--sets")
    fitted = scaled(logits, labels)
    found = replace(fitted, reject=known.reject, sets=known.sets)
    probabilities = fitted.probabilities(logits)
    if reject_at:
        correct = logits.argmax(axis=1) == labels
        found = replace(found, reject=rejection(reject_at, unknown(probabilities), correct))
    if sets:
        found = replace(found, sets=label_sets(sets, probabilities, labels))
    return found


def need_rules(reject_at: str, sets: float) -> str:
    """Return a rule as it is stored, "" for none. Raises UsageError for no rule, or no coverage."""
    if sets:
        need_coverage(sets)
    if not reject_at:
        return ""
    kind, value = rule_of(reject_at)
    return f"{kind}={value:g}"


def refresh(run: Run) -> Calibration:
    """Fit and store a run's calibration unless that of its validation logits is there; return it.

    Bounds of former logits are fitted anew; one that the new ones cannot reach is dropped, with a
    warning. Call it only within `run.writer()`.
    """
    stored = run.stored("calibration")
    if not run.has_logits("validation"):
        return _parsed(stored)
    if stored and not _is_stale(run, stored):
        return _parsed(stored)
    former = _parsed(stored)
    logits, labels = run.logits("validation"), run.labels("validation")
    if logits is None or labels is None:
        return Calibration()
    store(run, scaled(logits, labels))
    for bound in (former.reject, former.sets):
        try:
            if isinstance(bound, Rejection):
                store(run, fit(run, reject_at=bound.rule))
            elif bound is not None:
                store(run, fit(run, sets=bound.coverage))
        except UsageError as error:
            _LOG.warning("warning: a bound is dropped: %s", error.message)
    return of(run)


def store(run: Run, calibration: Calibration) -> None:
    """Write calibration.json. Call it only within `run.writer()`."""
    facts: dict[str, Any] = {"temperature": calibration.temperature, "n": calibration.n}
    if calibration.reason:
        facts["reason"] = calibration.reason
    if calibration.reject:
        facts["reject"] = vars(calibration.reject)
    if calibration.sets:
        facts["sets"] = vars(calibration.sets)
    if digest := _digest(run):
        facts["logits"] = digest
    files.write_json(run.folder / FILE, facts)


def _parsed(stored: dict[str, Any]) -> Calibration:
    if not stored:
        return Calibration()
    reject, sets = stored.get("reject"), stored.get("sets")
    return Calibration(
        stored["temperature"],
        stored["n"],
        Rejection(reject["rule"], reject["threshold"]) if reject else None,
        LabelSets(sets["coverage"], sets["threshold"]) if sets else None,
        stored.get("reason", ""),
    )


def _is_stale(run: Run, stored: dict[str, Any]) -> bool:
    """Return whether the stored validation logits are not those of a calibration."""
    return run.has_logits("validation") and stored.get("logits", "") != _digest(run)


def _digest(run: Run) -> str:
    """Return the digest of the stored validation logits; "" where there are none."""
    if not run.has_logits("validation"):
        return ""
    if known := run.scored("validation").get("stored"):
        return known
    return digests.of_arrays(run.logits("validation"), run.labels("validation"),
                             run.rows("validation"))  # fmt: skip


def _validation(run: Run, option: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    logits = run.logits("validation")
    labels = None if logits is None else run.labels("validation")
    if logits is None or labels is None:
        raise UsageError(
            f"{option} is chosen on validation images, and {run.name!r} has no scores of any",
            remedy=f"hundredfold evaluate {run.folder} --split validation; "
            "a run trained on all images has none",
        )
    return logits, labels
