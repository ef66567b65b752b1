"""Score a run's best weights on a split, from logits that are computed once and stored."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import data, files
from hundredfold.classifier import Classifier
from hundredfold.data import DataSet, Source, Split
from hundredfold.errors import DataError, UsageError
from hundredfold.metrics import scores
from hundredfold.metrics.tables.confusion import confusion
from hundredfold.metrics.tables.per_class import per_class
from hundredfold.run import Run

SPLITS = ("test", "validation")
UNSEEN = "top_1_unseen"


def source_of(run: Run, folder: Path | None) -> Source:
    """Return where a run's data lie: in `folder`, or where they lay when it was trained."""
    if folder is None and run.info["data"].get("folder"):
        folder = Path(run.info["data"]["folder"])
    return Source(folder=folder) if folder else Source()


def evaluate(
    run: Run,
    split: str,
    source: Source,
    open_classifier: Callable[[], Classifier],
) -> dict[str, Any]:
    """Score "test" or "validation" into the run's scores.json and return those scores.

    open_classifier: opens the run's network with its best weights; called where logits lack.

    Precision, recall and F1 of each class and the confusion matrix go beside it as CSV.
    "test.top_1_unseen" leaves out the test images of which training saw a near-duplicate.

    This is the only reader of the test split, and each look is counted in run.json: the
    first computes and stores the logits, later ones read them. Raises UsageError for
    another split, DataError where the data set has no test images or is not the one that
    the run was trained on.
    """
    if split not in SPLITS:
        raise UsageError(
            f"there is no split {split!r}", remedy="--split test or --split validation"
        )
    with run.writer():
        if split == "test":
            info = run.info
            run.save_info(info | {"test_evaluations": int(info.get("test_evaluations", 0)) + 1})
        if run.logits(split) is None:
            _store_logits(run, split, source, open_classifier())
        return score(run, split)


def score(run: Run, split: str) -> dict[str, Any]:
    """Compute a split's scores and tables from its stored logits; only for the one writer."""
    found, labels = run.logits(split), run.labels(split)
    assert found is not None and labels is not None
    values = scores(found, labels, superclass_of=run.info["data"]["superclass_of"])
    unseen = run.unseen() if split == "test" else None
    if unseen is not None and unseen.any():
        values |= scores(found[unseen], labels[unseen], metrics={UNSEEN: "top_k(k=1)"})
    named = {f"{split}.{name}": value.to_json() for name, value in values.items()}
    run.save_scores(named)
    _write_tables(run, split, found, labels)
    return named


def _write_tables(
    run: Run, split: str, found: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    """Write <split>.classes.csv and <split>.confusion.csv (rows are true classes)."""
    classes = run.info["data"]["classes"]
    each = per_class(found, labels)
    columns = (each.precision, each.recall, each.f1)
    rows: list[list[Any]] = [["class", "precision", "recall", "f1", "images"]]
    for place, name in enumerate(classes):
        rows.append([name, *(f"{c[place]:.4f}" for c in columns), int(each.support[place])])
    files.write_text(run.folder / f"{split}.classes.csv", _csv(rows))
    counts = confusion(found, labels)
    rows = [["true \\ predicted", *classes]]
    rows += [[name, *map(int, counts[place])] for place, name in enumerate(classes)]
    files.write_text(run.folder / f"{split}.confusion.csv", _csv(rows))


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _store_logits(run: Run, split: str, source: Source, model: Classifier) -> None:
    opened = data.load(run.recipe.data, source)
    part = _part(run, split, opened)
    found = model.logits(part.pixels, part.indices)
    unseen = data.unseen(opened, source.cache) if split == "test" else None
    if unseen is not None:  # None: too many images to compare
        run.save_unseen(unseen)
    run.save_logits(split, found, part.labels[part.indices], part.indices)


def _part(run: Run, split: str, found: DataSet) -> Split:
    """Return the images; class names must be the run's, and for validation the pixels too."""
    facts = run.info["data"]
    if list(found.classes) != facts["classes"]:
        raise DataError(
            f"the classes of {found.name!r} are not those that {run.name!r} knows",
            found=f"{len(found.classes)} classes, {len(facts['classes'])} in the run",
            remedy="--data-dir with the data that the run was trained on",
        )
    if split == "validation":
        if found.digest != facts["digest"]:
            raise DataError(
                f"the data are not those that {run.name!r} was trained on",
                found=f"digest {found.digest[:12]} instead of {facts['digest'][:12]}",
                remedy="--data-dir with the former data",
            )
        cut = data.training(found, share=run.recipe.validation, seed=run.recipe.seed)[1]
        if not len(cut):
            raise UsageError(
                f"{run.name!r} was trained on all images; none were kept back for validation",
                remedy="--split test",
            )
        return cut
    if "test" not in found.parts:
        raise DataError(
            f"{found.name!r} has no test images",
            remedy="a folder 'test' beside 'train', or --split validation",
        )
    return found.parts["test"]()
