"""Score a run's best weights on a split from stored logits, which are computed once."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import calibration, csv_cells, data, files
from hundredfold.classifier import Classifier, need_finite
from hundredfold.data import DataSet, Source, Split
from hundredfold.errors import DataError, HundredfoldError, MissingError, UsageError
from hundredfold.metrics import UNSEEN, default, scores, softmax
from hundredfold.metrics.tables.confusion import confusion
from hundredfold.metrics.tables.per_class import per_class
from hundredfold.run import Run, digests
from hundredfold.spec import Part
from hundredfold.weights import files as weight_files

SPLITS = ("test", "validation")
_KINDS = ("images", "weights")  # whose digests are stored with the logits
_BLOCK = 1024  # images
_LOG = logging.getLogger(__name__)


def source_of(run: Run, folder: Path | None) -> Source:
    """Return the source of a run's data: `folder`, or the folder of training.

    Raises DataError where `folder` is named but does not exist.
    """
    if folder is not None and not folder.exists():
        raise DataError(f"there is no folder {str(folder)!r}", remedy="check --data-dir")
    facts = run.info["data"]
    if folder is None and facts.get("folder"):
        folder = Path(facts["folder"])
    return (Source(folder=folder) if folder else Source()).as_before(facts)


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
    missing, a warning is logged and the stored scores are returned.

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
        dataset = _dataset(run, split, source)
        if dataset is None:
            return score(run, split, counted=split == "test", extra=extra)
        part = _part(run, split, dataset)
        _bring_up_to_date(run, split, part, dataset, source.cache, open_classifier)
        values = score(run, split, counted=split == "test", extra=extra)
        write_predictions(run, split, part, dataset)
        return values


def _dataset(run: Run, split: str, source: Source) -> DataSet | None:
    """Open a run's data; None if they are missing, no folder is named, and logits are stored."""
    stored = run.has_logits(split)
    unnamed = source.folder in (Source().folder, source_of(run, None).folder)
    try:
        dataset = data.load(run.recipe.data, replace(source, offline=source.offline or stored))
    except HundredfoldError as error:
        if not (stored and unnamed):
            raise
        _LOG.warning("warning: using the stored scores: %s", error.message)
        return None
    if not unnamed:
        data.refuse_folder(dataset, source)
    return dataset


def _bring_up_to_date(
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


def store_validation(
    run: Run, part: Split, logits: NDArray[np.float32], classes: Sequence[str]
) -> None:
    """Store validation logits (n, classes) of weights/best with the digests of what they are of.

    Call it only within `run.writer()`.
    """
    _save(run, "validation", part, logits, _digests(part, classes, run.best()))


def _digests(part: Split, classes: Sequence[str], weights: Path | None) -> dict[str, str]:
    """Return SHA-256 digests: "images", with their labels, and "weights", if there are any."""
    digests = {"images": _digest(part, classes)}
    if weights is not None:
        with weight_files.opened(weights), weights.open("rb") as file:  # of a sound size
            digests["weights"] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _digest(part: Split, classes: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([len(part), list(classes)]).encode())
    digest.update(part.labels[part.indices].astype("<i8").tobytes())
    for first in range(0, len(part), _BLOCK):
        rows = part.indices[first : first + _BLOCK]
        digest.update(np.ascontiguousarray(part.pixels[rows]).data)
    return digest.hexdigest()


def score(
    run: Run, split: str, *, counted: bool = False, extra: Mapping[str, Part] | None = None
) -> dict[str, Any]:
    """Compute a split's scores and tables from its stored logits, and return the scores.

    Call it only within `run.writer()`. counted: whether run.json counts a test evaluation.
    extra: metrics beside the default ones, by name.
    """
    logits, labels = run.logits(split), run.labels(split)
    if logits is None or labels is None:
        raise _lacks_labels(run, split)
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
    _write_tables(run, split, logits, labels)
    return named


def _lacks_labels(run: Run, split: str) -> DataError:
    return DataError(
        f"{str(run.folder)!r} lacks the logits or the labels of {split}",
        remedy=f"remove its {split}.json, and evaluate it again",
    )


def _write_tables(
    run: Run, split: str, logits: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    """Write <split>.classes.csv and <split>.confusion.csv (rows are true classes)."""
    classes = run.info["data"]["classes"]
    table = per_class(logits, labels)
    columns = (table.precision, table.recall, table.f1)
    rows: list[list[Any]] = [["class", "precision", "recall", "f1", "images"]]
    for index, name in enumerate(classes):
        rows.append([name, *(f"{c[index]:.4f}" for c in columns), int(table.support[index])])
    files.write_text(run.folder / f"{split}.classes.csv", csv_cells.text(rows))
    counts = confusion(logits, labels)
    rows = [["true \\ predicted", *classes]]
    rows += [[name, *map(int, counts[index])] for index, name in enumerate(classes)]
    files.write_text(run.folder / f"{split}.confusion.csv", csv_cells.text(rows))


def write_predictions(run: Run, split: str, part: Split, dataset: DataSet) -> None:
    """Write <split>.predictions.csv: file, label, prediction and its probability of each image.

    part: the images of the stored logits, in their order.
    """
    logits, labels = run.logits(split), run.labels(split)
    if logits is None or labels is None:
        raise _lacks_labels(run, split)
    names = part.files(split if split in dataset.parts else "train")
    probabilities = softmax(logits.astype(np.float64))
    rows: list[list[Any]] = [["file", "label", "predicted", "probability"]]
    for name, label, values in zip(names, labels, probabilities, strict=True):
        best = int(values.argmax())
        rows.append([name, dataset.classes[label], dataset.classes[best], f"{values[best]:.4f}"])
    files.write_text(run.folder / f"{split}.predictions.csv", csv_cells.text(rows))


def _part(run: Run, split: str, dataset: DataSet) -> Split:
    """Return a split of a run's data.

    Raises DataError where the class names, or for validation the pixels, are not the run's.
    """
    facts = run.info["data"]
    if list(dataset.classes) != list(facts["classes"]):
        raise DataError(
            f"the classes of {dataset.name!r} are not those of {run.name!r}",
            found=f"{len(dataset.classes)} classes, {len(facts['classes'])} in the run",
            remedy="--data-dir with the data that the run was trained on",
        )
    if split == "validation":
        if dataset.digest != facts["digest"]:
            raise DataError(
                f"the data are not those that {run.name!r} was trained on",
                found=f"digest {dataset.digest[:12]} instead of {facts['digest'][:12]}",
                remedy="--data-dir with the original data",
            )
        cut = data.split(dataset, run.recipe)[1]
        if not len(cut):
            raise UsageError(
                f"{run.name!r} was trained on all images, so it has no validation images",
                remedy="--split test",
            )
        return cut
    if "test" not in dataset.parts:
        raise DataError(
            f"{dataset.name!r} has no test images",
            remedy="a folder 'test' beside 'train', train with --test 0.1, or --split validation",
        )
    return dataset.parts["test"]()
