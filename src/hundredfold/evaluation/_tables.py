"""Tables of a scored split as CSV files: classes, the confusion matrix, predictions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import calibration, csv_cells, files
from hundredfold.data import DataSet, Split
from hundredfold.errors import DataError
from hundredfold.metrics.tables.confusion import confusion
from hundredfold.metrics.tables.per_class import per_class
from hundredfold.run import Run


def write_tables(
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

    Probabilities are after the temperature of the run's calibration; scores are of the logits.

    part: the images of the stored logits, in their order.
    """
    logits, labels = run.logits(split), run.labels(split)
    if logits is None or labels is None:
        raise lacks_labels(run, split)
    names = part.files(split if split in dataset.parts else "train")
    probabilities = calibration.of(run).probabilities(logits)
    rows: list[list[Any]] = [["file", "label", "predicted", "probability"]]
    for name, label, values in zip(names, labels, probabilities, strict=True):
        best = int(values.argmax())
        rows.append([name, dataset.classes[label], dataset.classes[best], f"{values[best]:.4f}"])
    files.write_text(run.folder / f"{split}.predictions.csv", csv_cells.text(rows))


def lacks_labels(run: Run, split: str) -> DataError:
    return DataError(
        f"{str(run.folder)!r} lacks the logits or the labels of {split}",
        remedy=f"remove its {split}.json, and evaluate it again",
    )
