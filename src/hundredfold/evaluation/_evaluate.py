"""Score a split of a run, and count its test evaluations."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from hundredfold import calibration
from hundredfold.classifier import Classifier
from hundredfold.data import DataSet, Source
from hundredfold.errors import DataError, HundredfoldError, UsageError
from hundredfold.evaluation._images import dataset_of, part_of
from hundredfold.evaluation._stored import bring_up_to_date, is_of_other_weights
from hundredfold.evaluation._tables import lacks_labels, write_predictions, write_tables
from hundredfold.metrics import UNSEEN, default, scores
from hundredfold.run import Run
from hundredfold.spec import Part

SPLITS = ("test", "validation")
_LOG = logging.getLogger(__name__)


def evaluate(
    run: Run,
    split: str,
    source: Source,
    open_classifier: Callable[[], Classifier],
    extra: Mapping[str, Part] | None = None,
) -> dict[str, Any]:
    """Score a split, write the scores to the run's scores.json, and return them.

    split: "test" or "validation".
    open_classifier: opens the run's network with its best weights; called if logits are missing.
    extra: metrics beside the default ones, by the names of their scores.

    Precision, recall and F1 of each class, the confusion matrix, and the prediction for each file
    are written as CSV files.
    "test.top_1_unseen" leaves out the test images with a near-duplicate in the training data.

    Logits are computed once and stored with the digests of their images and weights. Where a
    digest has changed, a warning is logged and the split is scored again. Where the data are
    missing, a warning is logged and the stored scores are returned. Before test images are scored,
    validation is renewed as by `renew_validation`.

    Only this function reads the test split, and run.json counts the test evaluations.

    Raises UsageError for another split. Raises DataError where the data set has no test images,
    is not in the named folder, or is not the one of training.
    """
    if split not in SPLITS:
        raise UsageError(
            f"there is no split {split!r}", remedy="--split test or --split validation"
        )
    if taken := [name for name, part in (extra or {}).items() if part.own and name in default()]:
        raise UsageError(
            f"a metric called {taken[0]!r} comes with Hundredfold", remedy="another name for yours"
        )
    with run.writer():
        dataset = dataset_of(run, split, source)
        if split == "test":
            _renew(run, dataset, source, open_classifier)
        if dataset is None:
            return score(run, split, counted=split == "test", extra=extra)
        part = part_of(run, split, dataset)
        bring_up_to_date(run, split, part, dataset, source.cache, open_classifier)
        values = score(run, split, counted=split == "test", extra=extra)
        write_predictions(run, split, part, dataset)
        return values


def score(
    run: Run, split: str, *, counted: bool = False, extra: Mapping[str, Part] | None = None
) -> dict[str, Any]:
    """Compute a split's scores and tables from its stored logits, and return the scores.

    Call it only within `run.writer()`. counted: whether run.json counts a test evaluation.
    extra: metrics beside the default ones, by name.
    """
    logits, labels = run.logits(split), run.labels(split)
    if logits is None or labels is None:
        raise lacks_labels(run, split)
    coarse = run.info["data"].get("superclass_of", ())
    values = scores(logits, labels, superclass_of=coarse)
    values |= scores(logits, labels, superclass_of=coarse, metrics=extra or {})
    unseen = run.unseen() if split == "test" else None
    if unseen is not None and unseen.any():
        values |= scores(logits[unseen], labels[unseen], metrics={f"top_1{UNSEEN}": "top_k(k=1)"})
    named = {f"{split}.{name}": value.to_json() for name, value in values.items()}
    if counted:  # before the scores can be read
        info = run.info
        run.save_info(info | {"test_evaluations": int(info.get("test_evaluations", 0)) + 1})
    run.replace_scores(split, named)
    calibration.refresh(run)
    write_tables(run, split, logits, labels)
    return named


def renew_validation(run: Run, source: Source, open_classifier: Callable[[], Classifier]) -> None:
    """Score validation again where its stored logits are of other weights than the run's.

    They are after weights were replaced by hand, and so is the calibration that was fitted on them.
    Where the images are missing or are not those of training, the logits, the scores and the
    calibration are deleted, with a warning. Raises as `evaluate` does for the test images.
    """
    with run.writer():
        _renew(run, dataset_of(run, "test", source), source, open_classifier)


def _renew(
    run: Run, dataset: DataSet | None, source: Source, open_classifier: Callable[[], Classifier]
) -> None:
    if not is_of_other_weights(run, "validation"):
        return
    try:
        if dataset is None:
            raise DataError("the images are missing")
        part = part_of(run, "validation", dataset)
    except HundredfoldError as error:
        _LOG.warning(
            "warning: deleting the validation scores and the calibration, which are of other "
            "weights: %s",
            error.message,
        )
        run.delete_split("validation")
        return
    bring_up_to_date(run, "validation", part, dataset, source.cache, open_classifier)
    score(run, "validation")
    write_predictions(run, "validation", part, dataset)
