"""`hundredfold predict`: labels and probabilities for files."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from hundredfold import csv_cells
from hundredfold.api.runs import is_onnx, load
from hundredfold.api.runs import predict as predict_with
from hundredfold.errors import DataError, UsageError
from hundredfold.wording import plural


def predict(
    run: str,
    /,
    *files: Path,
    top: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    device: str = "auto",
    threads: int = 0,
    out: Path = Path("runs"),
    trust: Annotated[list[Path] | None, Parameter(negative="", show_default="none")] = None,
    json: bool = False,
) -> dict[str, Any]:
    """Predict image files with a run's best weights: CSV, or JSON with --json.

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
    predictions = predict_with(opened, files, device=device, threads=threads)
    _need_classes(top, len(next((p.classes for p in predictions if p.classes), ())) or top)
    if not json:
        rows: list[tuple[Any, ...]] = [("file", "rank", "label", "probability")]
        rows += [
            (prediction.file, rank, label, f"{probability:.4f}")
            for prediction in predictions
            for rank, (label, probability) in enumerate(prediction.top(top).items(), 1)
        ]
        sys.stdout.write(csv_cells.text(rows))
    bad = [prediction for prediction in predictions if prediction.error]
    if len(bad) == len(predictions):
        raise DataError(f"none of the {len(predictions)} files is an image", found=bad[0].error)
    for sentence in predictions.notes:
        sys.stderr.write(f"{sentence}\n")
    for prediction in bad:
        sys.stderr.write(f"left out: {prediction.error}\n")
    source = opened if isinstance(opened, str) else str(opened.folder)
    return {"run": source, **predictions.to_json(top)}


def _need_classes(top: int, classes: int) -> None:
    if top > classes:
        raise UsageError(
            f"--top {top} is out of range: the run has {plural(classes, 'class', 'classes')}",
            remedy=f"--top {classes}, or fewer",
        )
