"""`hundredfold predict`: labels and probabilities for files."""

import json as as_json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from hundredfold import csv_cells
from hundredfold.api import Prediction
from hundredfold.api.calls import is_onnx
from hundredfold.api.calls import predict as predict_with
from hundredfold.api.runs import load
from hundredfold.cli._bounds import Bounds
from hundredfold.errors import DataError, UsageError
from hundredfold.wording import plural

_AS_STORED = Bounds()


def predict(
    run: str,
    /,
    *files: Path,
    top: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    bounds: Bounds = _AS_STORED,
    device: str = "auto",
    threads: int = 0,
    out: Path = Path("runs"),
    trust: Annotated[list[Path] | None, Parameter(negative="", show_default="none")] = None,
    json: bool = False,
) -> dict[str, Any]:
    """Predict image files with a run's best weights: CSV, or JSON with --json.

    Probabilities are after the temperature that fits the run's validation images. Where a bound of
    "unknown" or label sets are in force, the CSV has the columns unknown, rejected and set.

    In the CSV, text that a spreadsheet would compute, such as =1+1, begins with an apostrophe.

    Parameters
    ----------
    run
        A run, by name or folder; "latest" is the newest. Or an exported .onnx file.
    files
        Image files, or folders of them; hidden files and other endings in a folder are passed over.
    top
        Number of classes to print for each file, most probable first: 1 to all of the run's.
    device
        auto, cpu, cuda, cuda:1 or mps.
    threads
        Threads to compute with; 0 takes every core.
    out
        The folder of the runs.
    trust
        A .py file of your own that the run names, and that may run.
    json
        Print one JSON object.
    """
    opened = run if is_onnx(run) else load(run, out=out, trust=trust)
    if not isinstance(opened, str):
        _need_classes(top, len(opened.info["data"]["classes"]))
    predictions = predict_with(opened, files, device=device, threads=threads, **asdict(bounds))
    _need_classes(top, len(next((p.classes for p in predictions if p.classes), ())) or top)
    if not json:
        sys.stdout.write(csv_cells.text(_rows(predictions, top)))
    bad = [prediction for prediction in predictions if prediction.error]
    if len(bad) == len(predictions):
        raise DataError(f"none of the {len(predictions)} files is an image", found=bad[0].error)
    for sentence in predictions.notes:
        sys.stderr.write(f"{sentence}\n")
    for prediction in bad:
        sys.stderr.write(f"left out: {prediction.error}\n")
    source = opened if isinstance(opened, str) else str(opened.folder)
    return {"run": source, **predictions.to_json(top)}


def _rows(predictions: Iterable[Prediction], top: int) -> list[list[Any]]:
    """Return the rows of the CSV, with a column for each bound that is in force."""
    read = [prediction for prediction in predictions if not prediction.error]
    rejects = any(prediction.rejected is not None for prediction in read)
    sets = any(prediction.label_set is not None for prediction in read)
    head: list[Any] = ["file", "rank", "label", "probability"]
    rows = [head + ["unknown", "rejected"] * rejects + ["set"] * sets]
    for one in read:
        further: list[Any] = []
        if rejects:
            further += [f"{one.unknown:.4f}", "yes" if one.rejected else "no"]
        if sets:
            further.append(as_json.dumps(one.label_set, ensure_ascii=False))
        for rank, (label, probability) in enumerate(one.top(top).items(), 1):
            rows.append([one.file, rank, label, f"{probability:.4f}", *further])
    return rows


def _need_classes(top: int, classes: int) -> None:
    if top > classes:
        raise UsageError(
            f"--top {top} is out of range: the run has {plural(classes, 'class', 'classes')}",
            remedy=f"--top {classes}, or fewer",
        )
