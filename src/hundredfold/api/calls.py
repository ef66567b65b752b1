"""Functions that take a run by its name: export, evaluate and predict."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hundredfold import prediction
from hundredfold import run as folders
from hundredfold.api.answers import Predictions
from hundredfold.api.options import Data, File, home
from hundredfold.api.pictures import Picture, listed
from hundredfold.api.runs import Metric, Run, Score, opened
from hundredfold.onnx_model import open_onnx


def export(
    run: Run | File,
    to: str = "onnx",
    *,
    file: File | None = None,
    force: bool = False,
    data: Data | None = None,
    data_dir: File | None = None,
    reject_at: str = "",
    sets: float = 0.0,
    min_agreement: float = 0.99,
    max_drop: float = 0.005,
    out: File = folders.RUNS,
) -> Path:
    """Write a run as a file that others can run, as `Run.export` does. out: the folder of runs."""
    return opened(run, out).export(
        to, file=file, force=force, data=data, data_dir=data_dir, reject_at=reject_at, sets=sets,
        min_agreement=min_agreement, max_drop=max_drop,
    )  # fmt: skip


def evaluate(
    run: Run | File,
    split: str = "test",
    *,
    data: Data | None = None,
    data_dir: File | None = None,
    metrics: Metric | Sequence[Metric] = (),
    device: str = "auto",
    threads: int = 0,
    reject_at: str = "",
    sets: float = 0.0,
    corruptions: bool = False,
    unlike: bool = False,
    out: File = folders.RUNS,
) -> dict[str, Score]:
    """Score a run on a split, as `Run.evaluate` does. out: the folder of runs, for names."""
    opened_run = opened(run, out)
    return opened_run.evaluate(split, data=data, data_dir=data_dir, metrics=metrics, device=device,
                               threads=threads, reject_at=reject_at, sets=sets,
                               corruptions=corruptions, unlike=unlike)  # fmt: skip


def predict(
    run: Run | File,
    pictures: Picture | Iterable[Picture],
    *,
    device: str = "auto",
    threads: int = 0,
    reject_at: str = "",
    sets: float = 0.0,
    out: File = folders.RUNS,
) -> Predictions:
    """Predict images with a run, as `Run.predict` does. out: the folder of runs, for names.

    run: also an exported .onnx file, which is computed without torch; device is ignored then.
    """
    if isinstance(run, str | os.PathLike) and is_onnx(run):
        model = open_onnx(Path(home(run)), threads)
        model.need_bounds(reject_at, sets)
        found = prediction.predict(model, listed(pictures), model.calibration)
        return Predictions(found, found.passed_over)
    return opened(run, out).predict(
        pictures, device=device, threads=threads, reject_at=reject_at, sets=sets
    )


def is_onnx(name: File) -> bool:
    """Return whether a name is that of an exported file, not of a run."""
    return Path(name).suffix.lower() == ".onnx"
